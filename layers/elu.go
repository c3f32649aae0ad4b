package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// ELU is y = x where x > 0, else Alpha*(exp(x)-1) (Clevert et al. 2015), as
// torch.nn.ELU.
type ELU struct {
	Alpha float64 // default 1
}

// Forward takes and returns any shape.
func (l ELU) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	return pointwise(t, x, eluParams{uint32(x.Len()), float32(l.alpha())}, eluForward, eluBackward)
}

func (l ELU) alpha() float64 {
	if l.Alpha == 0 {
		return 1
	}
	return l.Alpha
}

func (l ELU) String() string { return fmt.Sprintf("ELU(%v)", l.alpha()) }

type eluParams struct {
	N     uint32
	Alpha float32
}

// The shader's exp(x) and exp(x)-1 are each within 2u, made of + - * alone; the
// product with alpha is one rounding more.
var eluForward = compute.NewKernel("elu.forward", func(p eluParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = v
		if v <= 0 {
			y[i] = float64(p.Alpha) * math.Expm1(v)
		}
	}
}, elementwise(func(_ eluParams, _, y float64) float64 { return 3 * u * math.Abs(y) }))

var eluBackward = compute.NewKernel("elu.backward", func(p eluParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		if v > 0 {
			dx[i] += dy[i]
		} else {
			dx[i] += float64(p.Alpha) * math.Exp(v) * dy[i]
		}
	}
}, slope(func(p eluParams, x, slope float64) float64 {
	return 3*u*math.Abs(slope) + atZero(x)*math.Abs(1-float64(p.Alpha))
}))
