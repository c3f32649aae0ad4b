package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Exp is y = exp(x), element by element, within 3 ULP. Where that is more than
// float32 holds it is exp(88.72283), 3.4028e38.
type Exp struct{}

// Forward takes and returns any shape.
func (Exp) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p, y := pointParams{uint32(x.Len())}, t.New(x.Shape()...)
	expForward.Run(p, x, y)
	t.OnBackward(func() { expBackward.Run(p, y, t.Grad(y), t.Grad(x)) })
	return y
}

func (Exp) String() string { return "Exp" }

// highest is the shader's literal, as float32.
const highest = float64(float32(88.72283))

// The reduced argument and the polynomial leave 1.5 ULP, the scaling none.
var expForward = compute.NewKernel("exp.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = math.Exp(min(v, highest))
	}
}, compute.ULP(3))

var expBackward = compute.NewKernel("exp.backward", func(_ pointParams, b [][]float64) {
	y, dy, dx := b[0], b[1], b[2]
	for i, e := range y {
		dx[i] += dy[i] * e
	}
}, compute.Dot(1))
