package train

import (
	"fmt"
	"math"

	"github.com/pumice-ml/pumice/compute"
)

// ReduceOnPlateau multiplies the learning rate by Factor when a measure has not become
// better for more than Patience epochs, as PyTorch's ReduceLROnPlateau: an epoch is better
// where the measure is more than MinDelta better than the best so far. What it does is a
// function of the history, so that a resumed run does the same.
type ReduceOnPlateau struct {
	Monitor  string  // as Epoch.Value names measures; default "test_loss"
	Factor   float64 // above 0, below 1; default 0.1
	Patience int     // epochs; default 10, negative for none
	MinDelta float64 // 0 or more
	Cooldown int     // epochs after a reduction in which none is counted
	Min      float64 // the least rate
	Mode     string  // "min" or "max"; default by the measure
}

// After is the learning rate after the epochs of a history, of a run that begins with the
// rate first.
func (s ReduceOnPlateau) After(h History, first float64) float64 {
	m := s.monitor()
	rate, best, bad, cool := first, math.NaN(), 0, 0
	for _, e := range h {
		v, _ := e.Value(m.name)
		if m.better(v, best) {
			best, bad = v, 0
		} else {
			bad++
		}
		if cool > 0 {
			cool, bad = cool-1, 0
		}
		if bad > max(int(orElse(float64(s.Patience), 10)), 0) {
			rate = max(rate*orElse(s.Factor, 0.1), min(s.Min, rate))
			bad, cool = 0, s.Cooldown
		}
	}
	return rate
}

func (s ReduceOnPlateau) monitor() monitor {
	return monitor{"ReduceOnPlateau", nameOr(s.Monitor, "test_loss"), s.Mode, s.MinDelta}
}

// Check returns an error where a field is out of range.
func (s ReduceOnPlateau) Check(int) error {
	if f := orElse(s.Factor, 0.1); !(positive(f) && f < 1) || s.Cooldown < 0 || !(s.Min >= 0) {
		return fmt.Errorf("train: ReduceOnPlateau: Factor %v, Cooldown %d, Min %v, want above 0 and below 1, 0 or more, 0 or more", f, s.Cooldown, s.Min)
	}
	return s.monitor().check()
}

// Rate records nothing: the loop writes the rate, one number, after each epoch.
func (s ReduceOnPlateau) Rate(*compute.Tape, *compute.Tensor, *compute.Tensor, float64, int) {}
