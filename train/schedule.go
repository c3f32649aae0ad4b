package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Schedule records how the learning rate follows the step, on the device.
type Schedule interface {
	// Rate records the run that sets rate (1) from the clock (2), whose first
	// element is the step, in a run of steps that starts with the rate first.
	Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int)
}

// Linear lowers the learning rate along a straight line, from the optimizer's to
// Final times that after the last step.
type Linear struct {
	Final float64 // 0 to 1
}

// Rate records the rate of a step. It panics where Final is out of range.
func (l Linear) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	if !(l.Final >= 0 && l.Final <= 1) {
		panic(fmt.Sprintf("train: Linear: Final is %v, want 0 to 1", l.Final))
	}
	rateLinear.Run(rateParams{uint32(steps), float32(first), float32(1 - l.Final)}, clock, rate)
}

type rateParams struct {
	Steps      uint32
	Base, Fall float32
}

var rateLinear = compute.NewKernel("rate.linear", func(p rateParams, b [][]float64) {
	clock, rate := b[0], b[1]
	part := min(clock[0], float64(p.Steps)) / float64(p.Steps)
	rate[0] = float64(p.Base) * (1 - float64(p.Fall)*part)
}, compute.Func(func(r *compute.Reference32) [][]float64 {
	// The part has a division of 2.5 ULP and two roundings of whole numbers, its
	// product and the difference one each; then comes the product with base.
	p := r.Params.(rateParams)
	part := min(r.In[0][0], float64(p.Steps)) / float64(p.Steps)
	fall := math.Abs(float64(p.Fall)) * part
	base := math.Abs(float64(p.Base))
	return [][]float64{nil, {base*(compute.Gamma(5+2+1)*fall+roundoff*math.Abs(1-fall))*(1+roundoff) + roundoff*math.Abs(r.Want[1][0]) + 2*smallest}}
}))
