package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
)

// TestFindRate finds a rate that trains, and leaves the model as it was.
func TestFindRate(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		ctx := context.Background()
		l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{Momentum: 0.9}, Batch: 20, Epochs: 3, Seed: 1}
		before := digest(l.Model)
		c, err := FindRate(ctx, dev, l, stripes(600, 1), 1e-5, 1e3, 80)
		if err != nil {
			t.Fatal(err)
		}
		if digest(l.Model) != before {
			t.Error("the weights changed")
		}
		for name, p := range layers.Params(l.Model) {
			if dev.Holds(p) {
				t.Errorf("the device holds %s", name)
			}
		}
		if !c.Diverged || len(c.Points) == 80 || len(c.Points) < 40 {
			t.Errorf("%d points, diverged %v, want an end before the last of 80", len(c.Points), c.Diverged)
		}
		for i, p := range c.Points {
			if want := math.Pow(10, -5+8*float64(i)/79); math.Abs(p.Rate/want-1) > 1e-12 || !finite(p.Loss) || !finite(p.Smoothed) {
				t.Fatalf("point %d is %+v, want a rate of %v", i, p, want)
			}
		}
		if first := c.Points[0].Loss; math.Abs(first-math.Log(4)) > 0.5 {
			t.Errorf("the loss starts at %v, want about that of a guess, %v", first, math.Log(4))
		}
		if c.Suggestion < 1e-4 || c.Suggestion > 1 {
			t.Fatalf("suggestion %v", c.Suggestion)
		}
		l.Optimizer = &SGD{Momentum: 0.9, LR: c.Suggestion}
		defer forget(dev, l.Model)
		h, err := l.Run(ctx, dev, stripes(600, 1), stripes(110, 2))
		if err != nil || h[2].TestAccuracy < 0.9 {
			t.Errorf("training with the suggested rate of %v: %v, %v", c.Suggestion, h, err)
		}
	})
}

// TestFindRateMixup wants the losses of mixed images: at rates that change nothing, those of
// an epoch of training.
func TestFindRateMixup(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		ctx, set := context.Background(), stripes(200, 1)
		l := &Loop{
			Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 1e-30}, Batch: 20, Epochs: 1, Seed: 1,
			Augment: &Augment{Mixup: 1},
		}
		defer forget(dev, l.Model)
		c, err := FindRate(ctx, dev, l, set, 1e-30, 2e-30, 10)
		if err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for _, p := range c.Points {
			mean += p.Loss / 10
		}
		h, err := l.Run(ctx, dev, set, nil)
		if err != nil || math.Abs(mean-h[0].Loss) > 1e-5*mean {
			t.Errorf("a mean loss of %v, %v, in training %v", mean, err, h)
		}
	})
}

// TestFindRateHeld keeps what a device knows better than the host.
func TestFindRateHeld(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		ctx := context.Background()
		model := small()
		defer forget(dev, model)
		e, err := NewEvaluator(dev, model, layers.SoftmaxCrossEntropy{}, stripes(10, 2))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		before, _, err := e.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range layers.Params(model) {
			clear(p.Data) // on the host alone
		}
		cleared := digest(model)
		l := &Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{}, Batch: 20}
		if _, err := FindRate(ctx, dev, l, stripes(40, 1), 1e-3, 1, 10); err != nil {
			t.Fatal(err)
		}
		if digest(model) != cleared {
			t.Error("the weights of the host changed")
		}
		if after, _, err := e.Run(ctx); err != nil || after != before {
			t.Errorf("loss of the device's weights %v, %v, want %v", after, err, before)
		}
	})
}

// TestSuggest knows where a curve falls most steeply, whatever the noise.
func TestSuggest(t *testing.T) {
	for _, c := range []struct {
		name       string
		loss       func(decade float64) float64
		want       float64 // decade
		suggestion bool
	}{
		{"falls, then blows up", func(d float64) float64 { return 2 - 1.5/(1+math.Exp(-4*(d+3))) + math.Exp(6*(d+0.5)) }, -3, true},
		{"never falls", func(d float64) float64 { return 2 + 0.1*d }, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			curve := &RateCurve{}
			for i := range 120 {
				d := -6 + 6*float64(i)/119
				noise := 0.1 * (float64(compute.Uniform(compute.RandomBits(5, 0, 0, uint32(i))[0])) - 0.5)
				if !c.suggestion {
					noise = 0
				}
				curve.Points = append(curve.Points, RatePoint{Rate: math.Pow(10, d), Loss: c.loss(d) + noise})
			}
			curve.suggest(12)
			// A window has 25 steps of 0.05 decades, over which the slope hardly differs.
			if got := math.Log10(curve.Suggestion); c.suggestion && math.Abs(got-c.want) > 0.3 || !c.suggestion && curve.Suggestion != 0 {
				t.Errorf("suggestion %v, want 10^%v", curve.Suggestion, c.want)
			}
			for i, p := range curve.Points {
				if want := c.loss(math.Log10(p.Rate)); !c.suggestion && math.Abs(p.Smoothed-want) > 1e-12 {
					t.Errorf("point %d of a straight line is smoothed to %v, want %v", i, p.Smoothed, want)
				}
			}
		})
	}
}

// TestSuggestLate wants the noise of the first losses, which few others smooth, to suggest
// nothing.
func TestSuggestLate(t *testing.T) {
	curve := &RateCurve{}
	for i := range 60 {
		d := -6 + 6*float64(i)/59
		loss := 2 - 1.5/(1+math.Exp(-4*(d+3)))
		if i < 2 {
			loss += 0.5 - 0.25*float64(i)
		}
		curve.Points = append(curve.Points, RatePoint{Rate: math.Pow(10, d), Loss: loss})
	}
	curve.suggest(3)
	if got := math.Log10(curve.Suggestion); math.Abs(got+3) > 0.3 {
		t.Errorf("suggestion 10^%v, want 10^-3", got)
	}
}

func TestFindRateRefuses(t *testing.T) {
	ctx := context.Background()
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{}, Batch: 20}
	before := digest(l.Model)
	for _, c := range []struct {
		low, high float64
		steps     int
		want      string
	}{
		{0, 1, 10, "train: FindRate: rates from 0 to 1, want a range of positive numbers"},
		{1e-3, 1e-3, 10, "train: FindRate: rates from 0.001 to 0.001, want a range of positive numbers"},
		{math.NaN(), 1, 10, "train: FindRate: rates from NaN to 1, want a range of positive numbers"},
		{1e-3, math.Inf(1), 10, "train: FindRate: rates from 0.001 to +Inf, want a range of positive numbers"},
		{1e-3, 1, 9, "train: FindRate: 9 steps, want 10 or more"},
	} {
		if _, err := FindRate(ctx, dev, l, stripes(40, 1), c.low, c.high, c.steps); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := FindRate(stopped, dev, l, stripes(40, 1), 1e-3, 1, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	for _, p := range layers.Params(l.Model) {
		if dev.Holds(p) {
			t.Errorf("the device holds %s", p.Name)
		}
	}
	if digest(l.Model) != before {
		t.Error("the weights changed")
	}
	var broken []float32
	for name, p := range layers.Params(l.Model) {
		if name == "6.bias" {
			p.Data[0], broken = float32(math.NaN()), p.Data
		}
	}
	if _, err := FindRate(ctx, compute.Reference(), l, stripes(40, 1), 1e-3, 1, 10); !errors.Is(err, ErrDiverged) {
		t.Errorf("with a weight that is NaN: %v", err)
	}
	if !slices.ContainsFunc(broken, func(v float32) bool { return v != v }) {
		t.Error("the NaN is gone")
	}
}
