package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Schedule records how the learning rate follows the step, on the device. One that has
// a method Check(steps int) error is asked, before training starts, whether it suits a
// run of so many updates; one that has After sets the rate after epochs (see
// ReduceOnPlateau).
type Schedule interface {
	// Rate records the run that sets rate (1) from the clock (2), whose first
	// element is the number of updates so far, in a run of steps updates with the
	// optimizer's rate first.
	Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int)
}

// Constant keeps the learning rate, after a warm-up of WarmUp updates in which update s,
// counted from 0, has (s+1)/WarmUp of it.
type Constant struct {
	WarmUp int
}

// Linear lowers the learning rate along a straight line, from the optimizer's to
// Final times that after the last update, with a warm-up as of Constant before it: rate =
// first * (1 - (1-Final)*(s-WarmUp)/(steps-WarmUp)) (PyTorch's LinearLR).
type Linear struct {
	Final  float64 // 0 to 1
	WarmUp int     // updates
}

// Check returns an error where the warm-up does not fit into a run.
func (s Constant) Check(steps int) error { return checkSchedule("Constant", 0, s.WarmUp, steps) }

// Rate records the rate of an update. It panics where Check fails.
func (s Constant) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	runRate(rateConstant, s.Check(steps), rateParams{Warm: uint32(s.WarmUp)}, clock, rate, first, steps)
}

// Check returns an error where Final is out of range or the warm-up does not fit.
func (s Linear) Check(steps int) error { return checkSchedule("Linear", s.Final, s.WarmUp, steps) }

// Rate records the rate of an update. It panics where Check fails.
func (s Linear) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	runRate(rateLinear, s.Check(steps), rateParams{Warm: uint32(s.WarmUp), Fall: float32(1 - s.Final)}, clock, rate, first, steps)
}

func checkSchedule(name string, final float64, warm, steps int) error {
	if !(final >= 0 && final <= 1) {
		return fmt.Errorf("train: %s: Final is %v, want 0 to 1", name, final)
	}
	if warm < 0 || warm >= steps {
		return fmt.Errorf("train: %s: WarmUp is %d, want 0 or more, and less than the %d updates of the run", name, warm, steps)
	}
	return nil
}

// runRate records a kernel of a schedule whose check gave err.
func runRate(k *compute.Kernel, err error, p rateParams, clock, rate *compute.Tensor, first float64, steps int) {
	if err != nil {
		panic(err.Error())
	}
	p.Steps, p.Base, p.Every = uint32(steps), float32(first), max(p.Every, 1)
	k.Run(p, clock, rate)
}

// rateParams are those of rate.wgsl.
type rateParams struct {
	Steps, Warm, Every           uint32
	Base, Fall, Curve, First, Up float32
}

// done and part are the steps after the warm-up, and their part of all of them.
func (p rateParams) done(clock float64) float64 {
	return max(min(clock, float64(p.Steps)), float64(p.Warm)) - float64(p.Warm)
}

func (p rateParams) part(clock float64) float64 {
	return p.done(clock) / float64(p.Steps-p.Warm)
}

func (p rateParams) ramp(clock float64) float64 {
	if clock >= float64(p.Warm) {
		return 1
	}
	return (clock + 1) / float64(p.Warm)
}

// rateKernel declares a kernel that sets rate = base * ramp * shape. The shape gives its
// value, of at most 1, and what it may be off by.
func rateKernel(entry string, shape func(p rateParams, clock float64) (value, off float64)) *compute.Kernel {
	return compute.NewKernel("rate."+entry, func(p rateParams, b [][]float64) {
		value, _ := shape(p, b[0][0])
		b[1][0] = float64(p.Base) * value * p.ramp(b[0][0])
	}, compute.Func(func(r *compute.Reference32) [][]float64 {
		// The ramp is a quotient of whole numbers; then come two products.
		p := r.Params.(rateParams)
		clock := r.In[0][0]
		value, off := shape(p, clock)
		base := math.Abs(float64(p.Base)) * p.ramp(clock)
		return [][]float64{nil, {base*(off+compute.Gamma(quotient+2)*(math.Abs(value)+off)) + 2*smallest}}
	}))
}

// quotient is the number of roundings of a quotient of whole numbers: each becomes a
// f32, and division is off by 2.5 ULP, at most 5 units of roundoff.
const quotient = 2 + 5

var rateConstant = rateKernel("constant", func(rateParams, float64) (value, off float64) { return 1, 0 })

var rateLinear = rateKernel("linear", func(p rateParams, clock float64) (value, off float64) {
	// A product follows the quotient, and a difference.
	lost := float64(p.Fall) * p.part(clock)
	return 1 - lost, compute.Gamma(quotient+1)*math.Abs(lost) + roundoff*(1+math.Abs(lost))
})
