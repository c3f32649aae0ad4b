package layers

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Softplus is y = log(1+exp(Beta*x))/Beta, and x itself where Beta*x > 20, as
// torch.nn.Softplus.
type Softplus struct {
	Beta float64 // default 1
}

// Forward takes and returns any shape.
func (l Softplus) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	return pointwise(t, x, softplusParams{uint32(x.Len()), float32(l.beta()), 20}, softplusForward, softplusBackward)
}

func (l Softplus) beta() float64 {
	if l.Beta == 0 {
		return 1
	}
	return l.Beta
}

func (l Softplus) String() string { return fmt.Sprintf("Softplus(%v)", l.beta()) }

type softplusParams struct {
	N               uint32
	Beta, Threshold float32
}

// With v = beta*x, y is max(x, 0) + log(1+exp(-|v|))/beta. The rounding of v
// makes |v|u of the exponential, which itself is within 2u; the logarithm has a
// sum, a division and 4 roundings, its series stops at u/4; then another
// division and the sum.
var softplusForward = compute.NewKernel("softplus.forward", func(p softplusParams, b [][]float64) {
	x, y, beta := b[0], b[1], float64(p.Beta)
	for i, v := range x {
		y[i] = v
		if beta*v <= float64(p.Threshold) {
			y[i] = math.Log1p(math.Exp(beta*v)) / beta
		}
	}
}, elementwise(func(p softplusParams, x, y float64) float64 {
	v, beta := math.Abs(float64(p.Beta)*x), float64(p.Beta)
	curve := math.Log1p(math.Exp(-v)) / beta
	return (v+2+1+division+4+1+division)*u*curve + u*math.Abs(y) + tiny/beta
}))

var softplusBackward = compute.NewKernel("softplus.backward", func(p softplusParams, b [][]float64) {
	x, dy, dx, beta := b[0], b[1], b[2], float64(p.Beta)
	for i, v := range x {
		if beta*v <= float64(p.Threshold) {
			dx[i] += dy[i] * logistic(beta*v)
		} else {
			dx[i] += dy[i]
		}
	}
}, slope(func(p softplusParams, x, slope float64) float64 {
	v := float64(p.Beta) * x
	bound := (logisticRoundings + math.Abs(v)*logistic(-v)) * u * slope
	// The rounding of v may put it on the other side of the threshold, where the
	// slope is 1.
	if threshold := float64(p.Threshold); math.Abs(v-threshold) <= 2*u*threshold {
		bound += logistic(-v)
	}
	return bound
}))
