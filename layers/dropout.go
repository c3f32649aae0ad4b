package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// Dropout sets each element to 0 with probability P and multiplies the others by
// 1/(1-P), in training only (Srivastava et al. 2014). Which ones is a function
// of the clock's seed and step, the layer's place on the tape and the element:
// the same on every device, and recomputed for the gradient instead of kept.
type Dropout struct {
	P float64 // at least 0, less than 1
}

// Forward takes and returns any shape. It records nothing where t does not
// train, and panics where P is out of range or a training tape has no Clock.
func (l Dropout) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	if !(l.P >= 0 && l.P < 1) {
		panic(fmt.Sprintf("layers: Dropout: P is %v, want 0 <= P < 1", l.P))
	}
	if !t.Training || l.P == 0 {
		return x
	}
	clock, stream := t.Random()
	p := dropoutParams{uint32(x.Len()), stream, uint32(l.P * (1 << 24)), float32(1 / (1 - l.P))}
	y := t.New(x.Shape()...)
	dropoutForward.Run(p, clock, x, y)
	t.OnBackward(func() { dropoutBackward.Run(p, clock, t.Grad(y), t.Grad(x)) })
	return y
}

func (l Dropout) String() string { return fmt.Sprintf("Dropout(%v)", l.P) }

type dropoutParams struct {
	N, Stream, Threshold uint32
	Scale                float32
}

// keeps reports whether element i stays.
func (p dropoutParams) keeps(clock []float64, i int) bool {
	step, seed := uint32(clock[0]), uint32(clock[1])
	return compute.RandomBits(seed, p.Stream, step, uint32(i))[0]>>8 >= p.Threshold
}

var dropoutForward = compute.NewKernel("dropout.forward", func(p dropoutParams, b [][]float64) {
	clock, x, y := b[0], b[1], b[2]
	for i := range x {
		y[i] = 0
		if p.keeps(clock, i) {
			y[i] = x[i] * float64(p.Scale)
		}
	}
}, compute.Exact)

var dropoutBackward = compute.NewKernel("dropout.backward", func(p dropoutParams, b [][]float64) {
	clock, dy, dx := b[0], b[1], b[2]
	for i := range dx {
		if p.keeps(clock, i) {
			dx[i] += dy[i] * float64(p.Scale)
		}
	}
}, compute.Dot(1))
