package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Tanh is y = tanh(x), element by element, within 6 ULP and for every x: the
// function that WGSL has is neither.
type Tanh struct{}

// Forward takes and returns any shape.
func (Tanh) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p, y := pointParams{uint32(x.Len())}, t.New(x.Shape()...)
	tanhForward.Run(p, x, y)
	t.OnBackward(func() { tanhBackward.Run(p, y, t.Grad(y), t.Grad(x)) })
	return y
}

func (Tanh) String() string { return "Tanh" }

// From 0.625 on the quotient is at most 0.45 and its 2.5 ULP at most 1.25 of the
// result's; below, the polynomial is within 1 ULP.
var tanhForward = compute.NewKernel("tanh.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = math.Tanh(v)
	}
}, compute.ULP(3))

var tanhBackward = compute.NewKernel("tanh.backward", func(_ pointParams, b [][]float64) {
	y, dy, dx := b[0], b[1], b[2]
	for i, v := range y {
		dx[i] += dy[i] * (1 - v*v)
	}
}, slope(func(_ pointParams, _, slope float64) float64 { return 3 * u * math.Abs(slope) }))
