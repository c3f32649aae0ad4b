package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Step multiplies the learning rate by Factor after every Every updates: rate = first *
// Factor^floor(s/Every) (PyTorch's StepLR, with s counting updates).
type Step struct {
	Every  int     // updates; default a third of the run
	Factor float64 // above 0, at most 1; default 0.1
}

// Exponential lowers the learning rate by one factor in every update, to Final times the
// optimizer's after the last: rate = first * Final^((s-WarmUp)/(steps-WarmUp)) (PyTorch's
// ExponentialLR with gamma = Final^(1/steps)), with a warm-up as of Constant.
type Exponential struct {
	Final  float64 // above 0, at most 1; default 0.01
	WarmUp int     // updates
}

// Polynomial lowers the learning rate as a power of what is left of the run: rate = first
// * (Final + (1-Final) * (1 - (s-WarmUp)/(steps-WarmUp))^Power) (PyTorch's PolynomialLR
// with Final 0), with a warm-up as of Constant.
type Polynomial struct {
	Power  float64 // above 0, at most 16; default 2
	Final  float64 // 0 to 1
	WarmUp int     // updates
}

// every is Every or its default.
func (s Step) every(steps int) int {
	if s.Every == 0 {
		return max(1, (steps+2)/3)
	}
	return s.Every
}

// Check returns an error where a field is out of range.
func (s Step) Check(steps int) error {
	if f := orElse(s.Factor, 0.1); !(positive(f) && f <= 1) || s.Every < 0 || uint64(s.Every) > math.MaxUint32 {
		return fmt.Errorf("train: Step: every %d updates a factor of %v, want 1 to 2^32-1, and above 0, at most 1", s.Every, s.Factor)
	}
	return checkSchedule("Step", 0, 0, steps)
}

// Rate records the rate of an update. It panics where Check fails.
func (s Step) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	p := rateParams{Every: uint32(s.every(steps)), Curve: float32(math.Log(orElse(s.Factor, 0.1)))}
	runRate(rateSteps, s.Check(steps), p, clock, rate, first, steps)
}

// Check returns an error where a field is out of range.
func (s Exponential) Check(steps int) error {
	if f := orElse(s.Final, 0.01); !(f >= smallest && f <= 1) {
		return fmt.Errorf("train: Exponential: Final is %v, want above 0, at most 1", s.Final)
	}
	return checkSchedule("Exponential", s.Final, s.WarmUp, steps)
}

// Rate records the rate of an update. It panics where Check fails.
func (s Exponential) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	p := rateParams{Warm: uint32(s.WarmUp), Curve: float32(math.Log(orElse(s.Final, 0.01)))}
	runRate(rateExponential, s.Check(steps), p, clock, rate, first, steps)
}

// Check returns an error where a field is out of range.
func (s Polynomial) Check(steps int) error {
	if power := orElse(s.Power, 2); !(positive(power) && power <= 16) {
		return fmt.Errorf("train: Polynomial: Power is %v, want above 0, at most 16", s.Power)
	}
	return checkSchedule("Polynomial", s.Final, s.WarmUp, steps)
}

// Rate records the rate of an update. It panics where Check fails.
func (s Polynomial) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	p := rateParams{Warm: uint32(s.WarmUp), Fall: float32(1 - s.Final), Curve: float32(orElse(s.Power, 2))}
	runRate(ratePolynomial, s.Check(steps), p, clock, rate, first, steps)
}

// exponent is what exp makes of x that is off by dx: WGSL gives exp 3 + 2|x| ULP, and may
// flush what it gives.
func exponent(x, dx float64) (value, off float64) {
	value = math.Exp(x)
	return value, value*(math.Expm1(dx)+(3+2*math.Abs(x)+2*dx)*2*roundoff*math.Exp(dx)) + smallest
}

var rateExponential = rateKernel("exponential", func(p rateParams, clock float64) (value, off float64) {
	x := float64(p.Curve) * p.part(clock)
	return exponent(x, compute.Gamma(quotient+1)*math.Abs(x))
})

// The number of falls is a whole number, rounded once where it is large.
var rateSteps = rateKernel("steps", func(p rateParams, clock float64) (value, off float64) {
	x := float64(p.Curve) * math.Floor(p.done(clock)/float64(p.Every))
	return exponent(x, compute.Gamma(2)*math.Abs(x))
})

var ratePolynomial = rateKernel("polynomial", func(p rateParams, clock float64) (value, off float64) {
	left := (float64(p.Steps-p.Warm) - p.done(clock)) / float64(p.Steps-p.Warm)
	power, bound := 0.0, 0.0
	if left > 0 {
		// log is off by 3 ULP, or 2^-21 near 1, beside what its argument is off by.
		x := float64(p.Curve) * math.Log(left)
		dx := float64(p.Curve)*(max(3*compute.Ulp(math.Log(left)), 0x1p-21)+2*compute.Gamma(quotient)) + 2*roundoff*math.Abs(x)
		power, bound = exponent(x, dx)
	}
	fall := math.Abs(float64(p.Fall))
	return 1 - float64(p.Fall)*(1-power), fall*(bound+compute.Gamma(2)*(1+bound)) + roundoff*(1+fall)
})
