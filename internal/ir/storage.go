package ir

import (
	"math"
	"slices"
	"sync"

	"github.com/x448/float16"
)

// Numbers may be stored as f16 and computed as f32: Tape.Storage says so, and the text
// of each kernel is rewritten for those of its tensors that are (shader.StoreF16). The
// definition of a kernel is judged on the f16 numbers that it reads, and what it writes
// may be off by the kernel's own bound and by the rounding to f16.

// halves guards Param.half.
var halves sync.Mutex

// halfOf is the parameter whose elements, on devices, are those of p on the host, as f16.
func halfOf(p *Param) *Param {
	halves.Lock()
	defer halves.Unlock()
	if p.half == nil || p.half.of != p { // p was copied
		p.half = &Param{Name: p.Name, Shape: p.Shape, of: p}
	}
	return p.half
}

// WithHalves are parameters and the f16 copies of those that have one.
func WithHalves(params []*Param) []*Param {
	halves.Lock()
	defer halves.Unlock()
	all := slices.Clone(params)
	for _, p := range params {
		if p.half != nil && p.half.of == p {
			all = append(all, p.half)
		}
	}
	return all
}

// copy is the tensor of the f16 copy of p.
func (t *Tape) copy(p *Param) *Tensor {
	if x, ok := t.copies[p]; ok {
		return x
	}
	if t.params[p] == nil && !t.Training && !t.dev.Holds(p) {
		t.copies[p] = t.Add(&Slot{Name: p.Name, DType: F16, Param: halfOf(p)}, p.Shape)
		return t.copies[p]
	}
	from, x := t.Master(p), t.Add(&Slot{Name: p.Name, DType: F16, copied: true}, p.Shape)
	t.casts = append(t.casts, Dispatch{Kernel: Cast, Params: CastParams{uint32(p.Len())}, Tensors: []*Tensor{from, x}})
	t.copies[p] = x
	return x
}

// CastParams are those of Cast: the number of elements.
type CastParams struct{ N uint32 }

// Cast is y = x, whatever they are stored as.
var Cast = NewKernel("cast.forward", func(_ CastParams, b [][]float64) { copy(b[1], b[0]) }, Exact)

// MaxF16 is the largest f16, tinyF16 the smallest that is normal.
const (
	MaxF16  = 65504
	tinyF16 = 0x1p-14
)

// PackF16 rounds the float32 numbers whose bits are words to the nearest f16, two to a
// word.
func PackF16(words []uint32) []uint32 {
	packed := make([]uint32, (len(words)+1)/2)
	for i, w := range words {
		packed[i/2] |= uint32(float16.Fromfloat32(math.Float32frombits(w))) << (i % 2 * 16)
	}
	return packed
}

// UnpackF16 sets dst to the bits of the numbers that packed holds, as float32.
func UnpackF16(dst, packed []uint32) {
	for i := range dst {
		dst[i] = math.Float32bits(float16.Float16(packed[i/2] >> (i % 2 * 16)).Float32())
	}
}

// storedF16 widens the bounds of want by the rounding to f16: to either neighbour, as
// WGSL leaves it open (section 15.7.6), or to 0 where the f16 is subnormal. It marks the
// elements that may be more than f16 holds.
func storedF16(want, bounds []float64) (over []bool) {
	over = make([]bool, len(want))
	for i, w := range want {
		b := bounds[i]
		if math.IsNaN(w) || math.IsInf(w, 0) || !(b <= math.MaxFloat64) {
			continue
		}
		if over[i] = math.Abs(w)+b > MaxF16; over[i] {
			continue
		}
		if bounds[i] = max(aboveF16(w+b)-w, w+aboveF16(b-w)); math.Abs(w)-b < tinyF16 {
			bounds[i] = max(bounds[i], math.Abs(w))
		}
	}
	return over
}

// aboveF16 is the least f16 that is not less than v, at most 65504.
func aboveF16(v float64) float64 {
	_, e := math.Frexp(v)
	unit := math.Ldexp(1, max(e-11, -24))
	return math.Ceil(v/unit) * unit
}
