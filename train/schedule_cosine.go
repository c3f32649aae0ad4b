package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// Cosine lowers the learning rate along half a wave, with a warm-up as of Constant: rate =
// first * (Final + (1-Final) * (1+cos(pi t))/2), t = (s-WarmUp)/(steps-WarmUp) (Loshchilov
// and Hutter 2017, without restarts; PyTorch's CosineAnnealingLR).
type Cosine struct {
	Final  float64 // 0 to 1
	WarmUp int     // updates
}

// OneCycle takes the learning rate from Start times the optimizer's up to all of it, and
// down to Final times that at the last update (Smith 2018), in PyTorch's shape
// (OneCycleLR): from a to b the rate is a + (b-a) * (1-cos(pi t))/2, with t = s/up until
// up = Rise*steps - 1, and t = (s-up)/(steps-1-up) after it. Momentum stays as it is.
type OneCycle struct {
	Rise  float64 // the part of the run in which the rate rises; default 0.3
	Start float64 // above 0, at most 1; 0 is the default, 0.04
	Final float64 // above 0, at most 1; 0 is the default, Start/10,000
}

// Check returns an error where a field is out of range.
func (s Cosine) Check(steps int) error { return checkSchedule("Cosine", s.Final, s.WarmUp, steps) }

// Rate records the rate of an update. It panics where Check fails.
func (s Cosine) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	runRate(rateCosine, s.Check(steps), rateParams{Warm: uint32(s.WarmUp), Fall: float32(1 - s.Final)}, clock, rate, first, steps)
}

// Check returns an error where a field is out of range, or a run has too few updates to
// rise and fall.
func (s OneCycle) Check(steps int) error {
	rise, start := orElse(s.Rise, 0.3), orElse(s.Start, 0.04)
	final := orElse(s.Final, start/1e4)
	if !(rise > 0 && rise < 1) || !(start >= 0 && start <= 1) || !(final >= 0 && final <= 1) {
		return fmt.Errorf("train: OneCycle: Rise %v, Start %v, Final %v, want above 0 and below 1, and 0 to 1", rise, start, final)
	}
	if up := rise*float64(steps) - 1; up < 0.5 || float64(steps-1)-up < 0.5 {
		return fmt.Errorf("train: OneCycle: %d updates, of which the rate rises in %v, want more, to rise and to fall in", steps, rise*float64(steps))
	}
	return nil
}

// Rate records the rate of an update. It panics where Check fails.
func (s OneCycle) Rate(t *compute.Tape, clock, rate *compute.Tensor, first float64, steps int) {
	start := orElse(s.Start, 0.04)
	p := rateParams{
		Up: float32(orElse(s.Rise, 0.3)*float64(steps) - 1), First: float32(start), Fall: float32(1 - orElse(s.Final, start/1e4)),
	}
	runRate(rateOneCycle, s.Check(steps), p, clock, rate, first, steps)
}

// rise is (1 - cos(pi t)) / 2, and what rate.wgsl may be off by at a t that is off by dt.
// With x = pi (t - 1/2) that is (1 + sin x) / 2.
func rise(t, dt float64) (value, off float64) {
	const last = 1.0 / (2 * 3 * 4 * 5 * 6 * 7 * 8 * 9 * 10 * 11 * 12 * 13 * 14 * 15) // of the first term left out
	x := math.Pi * (t - 0.5)
	dx := math.Pi*(dt+roundoff*math.Abs(t-0.5)) + 2*roundoff*math.Abs(x)
	// Each of the six turns of Horner's scheme has a rounded constant, a product with a
	// rounded square and a sum; the terms' magnitudes add up to sinh |x|.
	off = dx + compute.Gamma(4*6+1)*math.Sinh(math.Abs(x)+dx) + last*math.Pow(math.Abs(x)+dx, 15)
	return (1 - math.Cos(math.Pi*t)) / 2, off/2 + roundoff*(1+off)
}

var rateCosine = rateKernel("cosine", func(p rateParams, clock float64) (value, off float64) {
	t := p.part(clock)
	h, bound := rise(t, compute.Gamma(quotient)*t)
	fall := math.Abs(float64(p.Fall))
	return 1 - float64(p.Fall)*h, fall*(bound+roundoff*(h+bound)) + roundoff*(1+fall)
})

var rateOneCycle = rateKernel("one_cycle", func(p rateParams, clock float64) (value, off float64) {
	// The step and its distance from up are rounded, and so is the length.
	at, up := min(clock, float64(p.Steps-1)), float64(p.Up)
	if at > up {
		t := (at - up) / (float64(p.Steps-1) - up)
		h, bound := rise(t, compute.Gamma(quotient+2)*t)
		fall := math.Abs(float64(p.Fall))
		return 1 - float64(p.Fall)*h, fall*(bound+roundoff*(h+bound)) + roundoff*(1+fall)
	}
	t := at / up
	h, bound := rise(t, compute.Gamma(quotient)*t)
	first := float64(p.First)
	return first + (1-first)*h, bound + compute.Gamma(3)*(1+bound)
})
