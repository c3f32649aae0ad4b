package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// GELU is y = x*P(x), where P is the normal distribution (Hendrycks and Gimpel
// 2016), within 8 ULP, or the approximation of the same paper by tanh.
type GELU struct {
	Tanh bool // torch.nn.GELU(approximate="tanh")
}

// Forward takes and returns any shape.
func (l GELU) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	p := pointParams{uint32(x.Len())}
	if l.Tanh {
		return pointwise(t, x, p, geluTanhForward, geluTanhBackward)
	}
	return pointwise(t, x, p, geluForward, geluBackward)
}

func (l GELU) String() string {
	if l.Tanh {
		return "GELU(tanh)"
	}
	return "GELU"
}

// normal is the normal distribution and its density.
func normal(x float64) (p, density float64) {
	return math.Erfc(-x/math.Sqrt2) / 2, math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
}

// Below -0.5: 1.4u for the exponential, 2u for what its argument leaves, 5u for
// the quotient of tail and density, 3u for products. Elsewhere it is less.
var geluForward = compute.NewKernel("gelu.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		p, _ := normal(v)
		y[i] = v * p
	}
}, compute.ULP(8))

// The two terms of the slope may cancel, so the bound is of their magnitudes,
// each with the roundings of a tail and a sum.
var geluBackward = compute.NewKernel("gelu.backward", func(_ pointParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		p, density := normal(v)
		dx[i] += dy[i] * (p + v*density)
	}
}, slope(func(_ pointParams, x, _ float64) float64 {
	p, density := normal(x)
	return 12 * u * (p + math.Abs(x)*density)
}))

// The factors of v = x*(c0 + c1*x^2), for which y = x/(1+exp(-v)).
var (
	c0 = 2 * math.Sqrt(2/math.Pi)
	c1 = 0.044715 * c0
)

// argument is v and its derivative.
func argument(x float64) (v, dv float64) { return x * (c0 + c1*x*x), c0 + 3*c1*x*x }

// roundings bounds the relative error of the shader's logistic(v) in u: v itself
// has 4 roundings and the constants', and the logistic's relative slope is
// logistic(-v).
func roundings(v float64) float64 { return logisticRoundings + 5*math.Abs(v)*logistic(-v) }

var geluTanhForward = compute.NewKernel("gelu_tanh.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		a, _ := argument(v)
		y[i] = v * logistic(a)
	}
}, elementwise(func(_ pointParams, x, y float64) float64 {
	v, _ := argument(x)
	return (roundings(v) + 1) * u * math.Abs(y)
}))

var geluTanhBackward = compute.NewKernel("gelu_tanh.backward", func(_ pointParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		a, da := argument(v)
		s := logistic(a)
		dx[i] += dy[i] * (s + v*da*s*logistic(-a))
	}
}, slope(func(_ pointParams, x, _ float64) float64 {
	// Products, the sum and dv add 8 roundings to those of the two logistics,
	// one of which may be flushed: beyond 16 both factors are constant.
	v, dv := argument(x)
	s, rest := logistic(v), logistic(-v)
	_, most := argument(min(math.Abs(x), 16))
	return (roundings(v)+1)*u*s + (roundings(v)+roundings(-v)+8)*u*math.Abs(x)*dv*s*rest + 16*most*tiny
}))
