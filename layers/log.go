package layers

import (
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Log is the natural logarithm y = log(x), element by element, within 3 ULP. Numbers
// that are not positive, or below the smallest normal float32, 2^-126, count as that
// number, and have no gradient.
type Log struct{}

// Forward takes and returns any shape.
func (Log) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	return pointwise(t, x, pointParams{uint32(x.Len())}, logForward, logBackward)
}

func (Log) String() string { return "Log" }

// Where the exponent is 0 the sum of m - 1 and the rest leaves 1 ULP and a third of
// the rest's; elsewhere the result is 0.34 or more and the terms are of its size.
var logForward = compute.NewKernel("log.forward", func(_ pointParams, b [][]float64) {
	x, y := b[0], b[1]
	for i, v := range x {
		y[i] = math.Log(max(v, tiny))
	}
}, compute.ULP(3))

var logBackward = compute.NewKernel("log.backward", func(_ pointParams, b [][]float64) {
	x, dy, dx := b[0], b[1], b[2]
	for i, v := range x {
		if v >= tiny {
			dx[i] += dy[i] / v
		}
	}
}, slope(func(_ pointParams, _, slope float64) float64 { return division * u * math.Abs(slope) }))
