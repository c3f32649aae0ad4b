package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/testdata"
)

// follow gives a schedule's rates of so many updates, and verifies nothing.
func follow(t *testing.T, dev *compute.Device, s Schedule, first float64, steps, updates int) (rates []float64) {
	t.Helper()
	clock, rate := compute.NewParamU32("clock", 2), compute.NewParam("rate", 1)
	defer dev.Forget(clock, rate)
	tape := compute.NewTape(dev)
	s.Rate(tape, tape.Param(clock), tape.Param(rate), first, steps)
	clockTick.Run(clockParams{1}, tape.Param(clock))
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range updates {
		if err := errors.Join(p.Run(context.Background()), dev.Download(context.Background(), rate)); err != nil {
			t.Fatal(err)
		}
		rates = append(rates, float64(rate.Data[0]))
	}
	return rates
}

// TestSchedules compares the rates of each update with PyTorch's.
func TestSchedules(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		for _, c := range testdata.PyTorch("schedule") {
			name, _, _ := strings.Cut(c.Name, "_")
			var s Schedule
			switch name {
			case "linear":
				s = Linear{Final: c.Float("final")}
			case "step":
				s = Step{Every: c.Int("every"), Factor: c.Float("factor")}
			case "exponential":
				s = Exponential{Final: c.Float("final")}
			case "cosine":
				s = Cosine{Final: c.Float("final")}
			case "polynomial":
				s = Polynomial{Power: c.Float("power")}
			case "one":
				s = OneCycle{Rise: c.Float("rise"), Start: c.Float("start"), Final: c.Float("final")}
			}
			want := c.F64("rate")
			for i, got := range follow(t, dev, s, c.Float("base"), c.Int("steps"), len(want)) {
				// 2e-6 is what exp of log may be off by, where log is off by 2^-21
				if math.Abs(got-want[i]) > 2e-6*c.Float("base") {
					t.Errorf("%s: rate of update %d is %v, want %v", c.Name, i, got, want[i])
				}
			}
		}
	})
}

// TestDefaults wants a schedule without settings to have those of its comment.
func TestDefaults(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for _, c := range []struct{ plain, full Schedule }{
		{Step{}, Step{Every: 7, Factor: 0.1}}, {Exponential{}, Exponential{Final: 0.01}}, {Polynomial{}, Polynomial{Power: 2}},
		{OneCycle{}, OneCycle{Rise: 0.3, Start: 0.04, Final: 4e-6}}, {Constant{}, Linear{Final: 1}},
	} {
		got, want := follow(t, dev, c.plain, 0.5, 20, 21), follow(t, dev, c.full, 0.5, 20, 21)
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%T: rate of update %d is %v, want %v", c.plain, i, got[i], want[i])
			}
		}
	}
}

// TestWarmUp follows rates that rise first: by quarters, to all of it in the fourth update,
// and then as they would in a run that is shorter.
func TestWarmUp(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		for _, c := range []struct{ warm, cold Schedule }{
			{Constant{WarmUp: 4}, Constant{}}, {Linear{Final: 0.1, WarmUp: 4}, Linear{Final: 0.1}}, {Cosine{WarmUp: 4}, Cosine{}},
			{Exponential{WarmUp: 4}, Exponential{}}, {Polynomial{WarmUp: 4}, Polynomial{}},
		} {
			want := append([]float64{0.125, 0.25, 0.375, 0.5}, follow(t, dev, c.cold, 0.5, 10, 12)...)
			for i, got := range follow(t, dev, c.warm, 0.5, 14, 16) {
				if math.Abs(got-want[i]) > 1e-6 {
					t.Errorf("%T: rate of update %d is %v, want %v", c.warm, i, got, want[i])
				}
			}
		}
	})
}

// TestPlateau compares rates after each epoch with PyTorch's.
func TestPlateau(t *testing.T) {
	for _, c := range testdata.PyTorch("plateau") {
		s := ReduceOnPlateau{
			Monitor: "loss", Factor: c.Float("factor"), Patience: c.Int("patience"), MinDelta: c.Float("threshold"), Cooldown: c.Int("cooldown"), Min: c.Float("min_lr"),
		}
		var h History
		want := c.F64("rate")
		for i, loss := range c.F64("loss") {
			h = append(h, Epoch{Epoch: i + 1, Loss: loss})
			if got := s.After(h, c.Float("base")); math.Abs(got-want[i]) > 1e-12 {
				t.Errorf("%s: rate after epoch %d is %v, want %v", c.Name, i+1, got, want[i])
			}
		}
	}
	if got := (ReduceOnPlateau{Monitor: "accuracy", Patience: -1}).After(History{{TrainAccuracy: 0.5}, {TrainAccuracy: 0.6}, {TrainAccuracy: 0.6}}, 1); got != 0.1 {
		t.Errorf("an accuracy that stays, without patience: rate %v, want 0.1", got)
	}
}

func TestSchedulesRefuse(t *testing.T) {
	for want, s := range map[string]interface{ Check(steps int) error }{
		"Linear: Final is 2":                Linear{Final: 2},
		"Cosine: Final is NaN":              Cosine{Final: math.NaN()},
		"Cosine: WarmUp is 20":              Cosine{WarmUp: 20},
		"Constant: WarmUp is -1":            Constant{WarmUp: -1},
		"Step: every -1 updates":            Step{Every: -1},
		"a factor of 2":                     Step{Factor: 2},
		"Exponential: Final is -1":          Exponential{Final: -1},
		"Polynomial: Power is 17":           Polynomial{Power: 17},
		"OneCycle: Rise 1,":                 OneCycle{Rise: 1},
		"OneCycle: 20 updates, of which":    OneCycle{Rise: 0.01},
		"ReduceOnPlateau: Factor 1":         ReduceOnPlateau{Factor: 1},
		"ReduceOnPlateau: Mode is \"less\"": ReduceOnPlateau{Mode: "less"},
		"ReduceOnPlateau: MinDelta is -1":   ReduceOnPlateau{MinDelta: -1},
	} {
		if err := s.Check(20); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", s, err, want)
		}
	}
}
