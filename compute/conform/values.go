package conform

import (
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// values makes the numbers of a case.
type values struct {
	pattern string
	seed    uint32
	zero    bool // every number is 0, for a case that is recorded and not run
}

// pattern is a way to fill an array of n numbers: element i from 32 random bits.
type pattern struct {
	name  string
	float func(bits uint32, i, n int) float64
	index func(bits uint32, i, n, below int) int
}

func anyIndex(bits uint32, _, _, below int) int { return int(bits % uint32(below)) }

// unit is 32 bits as a number in [0, 1).
func unit(bits uint32) float64 { return float64(bits) / (1 << 32) }

// sign is -1 or 1.
func sign(bits uint32) float64 { return float64(int(bits&1)*2 - 1) }

var patterns = []pattern{
	{"uniform", func(bits uint32, _, _ int) float64 { return 4*unit(bits) - 2 }, anyIndex},
	{"normal", func(bits uint32, _, _ int) float64 {
		// Box and Muller 1958, with 16 bits for each of its numbers.
		return math.Sqrt(-2*math.Log((float64(bits>>16)+1)/65536)) * math.Cos(2*math.Pi*float64(bits&65535)/65536)
	}, func(bits uint32, i, n, below int) int { return (i*7 + int(bits%3)) % below }},
	// Beyond what exp can hold, at 88.7, and tanh on several drivers.
	{"large", func(bits uint32, _, _ int) float64 { return sign(bits) * (60 + 140*unit(bits)) },
		func(_ uint32, _, _, below int) int { return below - 1 }},
	// From the smallest subnormal to numbers whose square is 0.
	{"tiny", func(bits uint32, _, _ int) float64 {
		return math.Ldexp(sign(bits)*(1+unit(bits)), -149+int(bits>>8)%60)
	},
		func(_ uint32, _, _, _ int) int { return 0 }},
	{"zeros", func(bits uint32, _, _ int) float64 {
		if bits>>8%5 == 4 {
			return unit(bits)
		}
		return math.Copysign(0, sign(bits))
	}, func(_ uint32, i, _, below int) int { return min(i%2, below-1) }},
	// Subnormal, large and plain numbers side by side.
	{"mixed", func(bits uint32, _, _ int) float64 {
		switch bits >> 4 % 3 {
		case 0:
			return math.Ldexp(sign(bits)*(1+unit(bits)), -149+int(bits>>8)%30)
		case 1:
			return sign(bits) * (60 + 140*unit(bits))
		}
		return 4*unit(bits) - 2
	}, anyIndex},
	// NaN and the infinities among plain numbers.
	{special, func(bits uint32, i, _ int) float64 {
		switch i % 37 {
		case 5:
			return math.NaN()
		case 17:
			return math.Inf(int(sign(bits)))
		}
		return 4*unit(bits) - 2
	}, anyIndex},
	// Neighbours that cancel but for the last bit, or all of it.
	{"cancel", func(_ uint32, i, _ int) float64 {
		v := 1 + float64(i/2%97)/97
		if i%2 == 0 {
			return v
		}
		return -math.Float64frombits(math.Float64bits(float64(float32(v)))) * (1 + float64(i/2%2)*0x1p-23)
	}, anyIndex},
	{"onehot", func(_ uint32, i, n int) float64 {
		if i%7 == 3 || n == 1 {
			return 1
		}
		return 0
	}, func(_ uint32, i, n, below int) int { return i / 3 % below }},
	{"equal", func(uint32, int, int) float64 { return 0.7 }, func(_ uint32, _, _, below int) int { return below / 2 }},
	{"sorted", func(_ uint32, i, n int) float64 { return 4*float64(i)/float64(n) - 2 },
		func(_ uint32, i, n, below int) int { return i * below / n }},
	{"alternating", func(_ uint32, i, _ int) float64 { return float64(1-2*(i%2)) * float64(1+i%3) },
		func(_ uint32, i, _, below int) int { return i % 2 * (below - 1) }},
}

// special is the pattern with NaN and the infinities.
const special = "special"

// Patterns are the names of the patterns of values, the plain ones first.
func Patterns() []string {
	var names []string
	for _, p := range patterns {
		names = append(names, p.name)
	}
	return names
}

func (v values) get() pattern {
	return patterns[slices.IndexFunc(patterns, func(p pattern) bool { return p.name == v.pattern })]
}

// bits are the random bits of element i of a stream.
func (v values) bits(stream uint32, i int) uint32 {
	return compute.RandomBits(v.seed, stream, 77, uint32(i))[0]
}

func (v values) floats(stream uint32, n int) []float32 {
	p, x := v.get(), make([]float32, n)
	if v.zero {
		return x
	}
	for i := range x {
		x[i] = float32(p.float(v.bits(stream, i), i, n))
	}
	return x
}

func (v values) indices(stream uint32, n, below int) []uint32 {
	p, x := v.get(), make([]uint32, n)
	if v.zero {
		return x
	}
	for i := range x {
		x[i] = uint32(p.index(v.bits(stream, i), i, n, below))
	}
	return x
}
