package layers

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/compute"
)

// Initializer fills a parameter with its first values. They depend on the seed,
// the stream (one for each parameter) and the element alone, so that a model
// starts with the same bits on every machine; see compute.RandomBits. The
// formulas are those of torch.nn.init, the numbers are not.
type Initializer = func(p *compute.Param, seed, stream uint32)

// Constant sets every element to v.
func Constant(v float32) Initializer {
	return func(p *compute.Param, _, _ uint32) {
		for i := range p.Data {
			p.Data[i] = v
		}
	}
}

// Zeros sets every element to 0.
func Zeros() Initializer { return Constant(0) }

// Ones sets every element to 1.
func Ones() Initializer { return Constant(1) }

// Uniform draws from [-bound, bound], ends rounded to float32.
func Uniform(bound float64) Initializer {
	return func(p *compute.Param, seed, stream uint32) {
		for i := range p.Data {
			// The middle of 2^32 equal cells of [0, 1).
			u := (float64(compute.RandomBits(seed, stream, 0, uint32(i))[0]) + 0.5) * 0x1p-32
			p.Data[i] = float32(bound * (2*u - 1))
		}
	}
}

// Normal draws from the normal distribution with mean 0 and deviation std, by
// the transform of Box and Muller (1958).
func Normal(std float64) Initializer {
	return func(p *compute.Param, seed, stream uint32) {
		for i := range p.Data {
			bits := compute.RandomBits(seed, stream, 0, uint32(i))
			radius := (float64(bits[0]) + 0.5) * 0x1p-32 // never 0
			angle := float64(bits[1]) * 0x1p-32
			p.Data[i] = float32(std * math.Sqrt(-2*math.Log(radius)) * math.Cos(2*math.Pi*angle))
		}
	}
}

// KaimingUniform is Uniform(sqrt(6/fanIn)): the variance 2/fanIn that keeps the
// size of activations through layers with ReLU (He et al. 2015). fanIn is the
// number of inputs to one output: inputs of a linear layer, channels times
// kernel height times kernel width of a convolution. It panics where fanIn is
// not positive.
func KaimingUniform(fanIn int) Initializer {
	checkFans("KaimingUniform", fanIn, 1)
	return Uniform(math.Sqrt(6 / float64(fanIn)))
}

// KaimingNormal is Normal(sqrt(2/fanIn)); see KaimingUniform.
func KaimingNormal(fanIn int) Initializer {
	checkFans("KaimingNormal", fanIn, 1)
	return Normal(math.Sqrt(2 / float64(fanIn)))
}

// XavierUniform is Uniform(sqrt(6/(fanIn+fanOut))): the variance
// 2/(fanIn+fanOut) of Glorot and Bengio (2010), for tanh and sigmoid. It panics
// where fanIn or fanOut is not positive.
func XavierUniform(fanIn, fanOut int) Initializer {
	checkFans("XavierUniform", fanIn, fanOut)
	return Uniform(math.Sqrt(6 / float64(fanIn+fanOut)))
}

// XavierNormal is Normal(sqrt(2/(fanIn+fanOut))); see XavierUniform.
func XavierNormal(fanIn, fanOut int) Initializer {
	checkFans("XavierNormal", fanIn, fanOut)
	return Normal(math.Sqrt(2 / float64(fanIn+fanOut)))
}

func checkFans(name string, fanIn, fanOut int) {
	if fanIn < 1 || fanOut < 1 {
		panic(fmt.Sprintf("layers: %s: fanIn %d, fanOut %d, want at least 1", name, fanIn, fanOut))
	}
}

var initializers = map[string]func(fanIn, fanOut int) Initializer{
	"zeros":           func(_, _ int) Initializer { return Zeros() },
	"ones":            func(_, _ int) Initializer { return Ones() },
	"kaiming_uniform": func(fanIn, _ int) Initializer { return KaimingUniform(fanIn) },
	"kaiming_normal":  func(fanIn, _ int) Initializer { return KaimingNormal(fanIn) },
	"xavier_uniform":  XavierUniform,
	"xavier_normal":   XavierNormal,
}

// InitializerByName returns the initializer that torch.nn.init calls by this
// name, without the underscore at its end: zeros, ones, kaiming_uniform,
// kaiming_normal, xavier_uniform or xavier_normal. Another name is an error
// that lists them; fans that are not positive panic.
func InitializerByName(name string, fanIn, fanOut int) (Initializer, error) {
	if f, ok := initializers[name]; ok {
		return f(fanIn, fanOut), nil
	}
	names := slices.Sorted(maps.Keys(initializers))
	return nil, fmt.Errorf("layers: initializer %q, want one of %s", name, strings.Join(names, ", "))
}
