package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// Linear is y = x Weight^T + Bias over the last dimension.
type Linear struct {
	Weight *compute.Param // (out, in)
	Bias   *compute.Param // (out); nil for none
}

// NewLinear returns a Linear with PyTorch's first values: both uniform in
// ±1/sqrt(in).
func NewLinear(in, out int) *Linear {
	init := Uniform(1 / math.Sqrt(float64(in)))
	return &Linear{Weight: newParam("weight", init, out, in), Bias: newParam("bias", init, out)}
}

// Forward takes (..., in) and returns (..., out).
func (l *Linear) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	want(len(x.Shape()) > 0 && x.Dim(-1) == in, "Linear", x, "(..., %d)", in)
	rows := x.Len() / in
	shape := append(slices.Clone(x.Shape()[:len(x.Shape())-1]), out)
	x = t.Reshape(x, rows, in)
	w, y := t.Param(l.Weight), t.Zeros(rows, out)
	sumAndBias(y, func() { MatMul(x, w, y, MatMulOptions{TransposeB: true}) }, func() {
		if l.Bias != nil {
			addBias(t, y, t.Param(l.Bias), rows, 1)
		}
	})
	t.OnBackward(func() {
		MatMul(t.Grad(y), x, t.Grad(w), MatMulOptions{TransposeA: true})
		MatMul(t.Grad(y), w, t.Grad(x), MatMulOptions{})
	})
	return t.Reshape(y, shape...)
}

// Walk visits weight and bias.
func (l *Linear) Walk(visit func(name string, p *compute.Param)) {
	visit("weight", l.Weight)
	if l.Bias != nil {
		visit("bias", l.Bias)
	}
}

func (l *Linear) String() string {
	return fmt.Sprintf("Linear(%d, %d)", l.Weight.Shape[1], l.Weight.Shape[0])
}
