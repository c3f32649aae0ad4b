package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// RateCurve is what FindRate measured: the loss of each step, before its update, at a
// learning rate that grows from step to step.
type RateCurve struct {
	Points []RatePoint
	// Suggestion is the rate at which Smoothed falls most steeply over the logarithm
	// of the rate, on the way to its lowest point; 0 where it never falls. The first
	// twentieth of the steps does not count, for its slopes are those of a few losses.
	Suggestion float64
	// Diverged says that the curve ends before the last step, where the loss was more
	// than 4 times the lowest or no finite number.
	Diverged bool
}

// RatePoint is one step of a RateCurve.
type RatePoint struct {
	Rate float64
	Loss float64 // of one batch
	// Smoothed is the value, in the middle, of the straight line through the losses
	// of a twentieth of all steps on either side (least squares): no lag, unlike a
	// running mean.
	Smoothed float64
}

// tooHigh times the lowest loss ends a curve.
const tooHigh = 4

// FindRate trains a copy of the loop's weights with a learning rate that grows
// exponentially from low to high, the same factor in every step, and returns how the
// loss follows it (Smith 2017, "Cyclical Learning Rates for Training Neural Networks",
// section 3.3). It ends early once the running mean of the loss, which forgets a tenth
// in each step, is more than 4 times its lowest. The loop's Schedule, Epochs,
// Accumulate, EMA and Checkpoint do not matter; its model is afterwards as it was, on the host and on the
// device. Errors are of a range that is none, fewer than 10 steps, a loss that is not
// finite at low (which wraps ErrDiverged), the context's, or those of Loop.Run.
func FindRate(ctx context.Context, dev *compute.Device, loop *Loop, set data.Dataset, low, high float64, steps int) (*RateCurve, error) {
	if !(low >= smallest && low < high && high <= math.MaxFloat32) {
		return nil, fmt.Errorf("train: FindRate: rates from %v to %v, want a range of positive numbers", low, high)
	}
	if steps < 10 {
		return nil, fmt.Errorf("train: FindRate: %d steps, want 10 or more", steps)
	}
	restore, err := keepWeights(ctx, dev, loop.Model)
	if err != nil {
		return nil, fmt.Errorf("train: FindRate: %w", err)
	}
	rate := &heldRate{}
	l := *loop
	l.keepLoss, l.Schedule, l.Accumulate, l.EMA, l.Epochs = true, rate, 1, nil, steps // epochs: as many at most
	c := &RateCurve{}
	err = l.inspect(dev, set, func(r *run) error {
		step := r.program
		r.source.begin(0)
		mean, weight, lowest := 0.0, 0.0, math.Inf(1)
		for i := range steps {
			p := RatePoint{Rate: low * math.Pow(high/low, float64(i)/float64(steps-1))}
			rate.param.Data[0] = float32(p.Rate)
			value := []float32{0}
			if err := dev.Upload(rate.param); err != nil {
				return err
			}
			if err := r.source.before(ctx, i); err != nil {
				return err
			}
			if err := step.Run(ctx); err != nil {
				return err
			}
			if err := step.Read(ctx, r.loss, value); err != nil {
				return err
			}
			if p.Loss = float64(value[0]); !finite(p.Loss) {
				c.Diverged = true
				break
			}
			c.Points = append(c.Points, p)
			mean, weight = 0.9*mean+0.1*p.Loss, 0.9*weight+0.1 // of weights that add up to less than 1 at first
			if lowest = min(lowest, mean/weight); mean/weight > tooHigh*lowest {
				c.Diverged = true
				break
			}
		}
		return nil
	})
	if undone := restore(); err == nil {
		err = undone
	}
	if err != nil {
		return nil, fmt.Errorf("train: FindRate: %w", err)
	}
	if len(c.Points) == 0 {
		return nil, fmt.Errorf("train: FindRate: the loss is not finite at the rate %v: %w", low, ErrDiverged)
	}
	c.suggest(max(2, steps/20))
	return c, nil
}

// suggest smooths the curve over so many steps on either side, and finds where it falls.
func (c *RateCurve) suggest(beside int) {
	var x, y []float64
	for _, p := range c.Points {
		x, y = append(x, math.Log(p.Rate)), append(y, p.Loss)
	}
	slopes := make([]float64, len(x))
	lowest := 0
	for i := range x {
		from, to := max(i-beside, 0), min(i+beside+1, len(x))
		c.Points[i].Smoothed = y[i]
		if to-from > 2 {
			base, slope := stat.LinearRegression(x[from:to], y[from:to], nil, false)
			c.Points[i].Smoothed, slopes[i] = base+slope*x[i], slope
		}
		if c.Points[i].Smoothed < c.Points[lowest].Smoothed {
			lowest = i
		}
	}
	steepest := 0.0
	for i := beside; i <= lowest; i++ {
		if slopes[i] < steepest {
			steepest, c.Suggestion = slopes[i], c.Points[i].Rate
		}
	}
}

// heldRate is a schedule that leaves the rate to the host.
type heldRate struct{ param *compute.Param }

func (h *heldRate) Rate(_ *compute.Tape, _, rate *compute.Tensor, _ float64, _ int) {
	h.param = rate.Param()
}

// keepWeights notes the parameters of a model, on the host and where the device holds
// them there. The function that it returns puts everything back.
func keepWeights(ctx context.Context, dev *compute.Device, model layers.Layer) (restore func() error, err error) {
	type kept struct {
		p            *compute.Param
		host, device []float32 // device is nil where it held none
	}
	var all []kept
	for _, p := range layers.Params(model) {
		k := kept{p: p, host: slices.Clone(p.Data)}
		if dev.Holds(p) {
			if err := dev.Download(ctx, p); err != nil {
				return nil, err
			}
			k.device = slices.Clone(p.Data)
			copy(p.Data, k.host)
		}
		all = append(all, k)
	}
	return func() error {
		for _, k := range all {
			if k.device == nil {
				dev.Forget(k.p)
			} else {
				copy(k.p.Data, k.device)
				if err := dev.Upload(k.p); err != nil {
					return err
				}
			}
			copy(k.p.Data, k.host)
		}
		return nil
	}, nil
}
