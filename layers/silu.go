package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// SiLU is y = x/(1+exp(-x)), element by element (Elfwing et al. 2017), also
// called swish.
type SiLU struct{}

// Forward takes and returns any shape.
func (SiLU) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	return pointwise(t, x, pointParams{uint32(x.Len())}, siluForward, siluBackward)
}

func (SiLU) String() string { return "SiLU" }

var siluForward = compute.NewKernel("silu.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = v * logistic(v)
	}
}, elementwise(func(_ pointParams, _, y float64) float64 { return (logisticRoundings + 1) * u * math.Abs(y) }))

// The two terms of the slope may cancel, so the bound is of their magnitudes:
// two logistics, two products and a sum.
var siluBackward = compute.NewKernel("silu.backward", func(_ pointParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		s := logistic(v)
		dx[i] += dy[i] * (s + v*s*logistic(-v))
	}
}, slope(func(_ pointParams, x, _ float64) float64 {
	s := logistic(x)
	return (2*logisticRoundings + 3) * u * (s + math.Abs(x)*s*logistic(-x))
}))
