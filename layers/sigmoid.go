package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Sigmoid is y = 1/(1+exp(-x)), element by element, within 5 ULP.
type Sigmoid struct{}

// Forward takes and returns any shape.
func (Sigmoid) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p, y := pointParams{uint32(x.Len())}, t.New(x.Shape()...)
	sigmoidForward.Run(p, x, y)
	t.OnBackward(func() { sigmoidBackward.Run(p, y, t.Grad(y), t.Grad(x)) })
	return y
}

func (Sigmoid) String() string { return "Sigmoid" }

// logisticRoundings bounds the relative error of the shader's logistic in u: its
// exponential, of + - * alone, is within 2, the sum adds 1, the division 5.
const logisticRoundings = 2 + 1 + division

// Beside the division's 2.5 ULP the exponential and the sum leave 2.
var sigmoidForward = compute.NewKernel("sigmoid.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = logistic(v)
	}
}, compute.ULP(5))

var sigmoidBackward = compute.NewKernel("sigmoid.backward", func(_ pointParams, b [][]float64) {
	y, dy, dx := b[0], b[1], b[2]
	for i, s := range y {
		dx[i] += dy[i] * s * (1 - s)
	}
}, slope(func(_ pointParams, _, slope float64) float64 { return 2 * u * math.Abs(slope) }))
