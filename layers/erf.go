package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Erf is the error function y = erf(x), element by element, within 7 ULP.
type Erf struct{}

// Forward takes and returns any shape.
func (Erf) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	return pointwise(t, x, pointParams{uint32(x.Len())}, erfForward, erfBackward)
}

func (Erf) String() string { return "Erf" }

// With a = |x| sqrt(2), beyond a = 1 the result, 0.68 or more, is 1 less at most 0.32,
// which has a dozen roundings; below, the series has 5, of the result's own size.
var erfForward = compute.NewKernel("erf.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = math.Erf(v)
	}
}, compute.ULP(7))

// The exponent x^2 is off by a rounding, which the exponential makes x^2 u of; a
// device may flush it below the smallest normal number.
var erfBackward = compute.NewKernel("erf.backward", func(_ pointParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		dx[i] += dy[i] * 2 / math.Sqrt(math.Pi) * math.Exp(-v*v)
	}
}, slope(func(_ pointParams, x, slope float64) float64 { return (5+x*x)*u*math.Abs(slope) + tiny }))
