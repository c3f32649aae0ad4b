package compute_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/layers"
)

// accumulator is a program of a few kernels whose results go on from run to run.
func accumulator(t *testing.T, dev *compute.Device) (p *compute.Program, y *compute.Tensor, params []*compute.Param) {
	t.Helper()
	const n = 65
	w, sum := compute.NewParam("w", n, n), compute.NewParam("sum", n, n)
	for i := range w.Data {
		w.Data[i] = float32(compute.Uniform(compute.RandomBits(1, 0, 0, uint32(i))[0])) - 0.4
	}
	tape := compute.NewTape(dev)
	layers.MatMul(tape.Param(w), tape.Param(w), tape.Param(sum), layers.MatMulOptions{})
	y = layers.Softmax{}.Forward(tape, layers.ReLU{}.Forward(tape, tape.Param(sum)))
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p, y, []*compute.Param{w, sum}
}

// TestProfile checks that a profile has a time of each dispatch, by the clock that the
// device has, and that the results are those of as many runs, bit for bit.
func TestProfile(t *testing.T) {
	ctx := context.Background()
	guaranteed, err := compute.Open(ctx, compute.Want{Name: os.Getenv("PUMICE_ADAPTER"), DefaultLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	defer guaranteed.Close()
	guaranteed.Tune(false)
	reference := compute.Reference()
	defer reference.Close()
	best := devicetest.Open(t)
	for _, dev := range []*compute.Device{best, guaranteed, reference} {
		devicetest.NoLeaks(t, dev)
		want := compiler.HostClock
		if dev == best && slices.Contains(dev.Info().Features, "timestamp-query") && dev.Info().Browser == "" && os.Getenv("PUMICE_LIMITS") != "default" {
			want = compiler.DeviceClock
		}
		const runs = 3
		plain, y, params := accumulator(t, dev)
		for range 1 + runs {
			if err := plain.Run(ctx); err != nil {
				t.Fatal(err)
			}
		}
		wanted := make([]float32, y.Len())
		if err := plain.Read(ctx, y, wanted); err != nil {
			t.Fatal(err)
		}
		plain.Close()
		dev.Forget(params...)

		p, y, params := accumulator(t, dev)
		steps, err := devicetest.Steps(p)
		if err != nil {
			t.Fatal(err)
		}
		profile, err := (*compiler.Program)(p).Profile(ctx, runs)
		if err != nil {
			t.Fatalf("%v: %v", dev, err)
		}
		t.Logf("%v: %+v", dev, *profile)
		if profile.Clock != want || (profile.Why == "") != (want == compiler.DeviceClock) || len(profile.Times) != len(steps) {
			t.Errorf("%v: %d times of %d dispatches by the %s (%s), want the %s", dev, len(profile.Times), len(steps), profile.Clock, profile.Why, want)
		}
		var sum time.Duration
		for _, d := range profile.Times {
			if sum += d; d < 0 {
				t.Errorf("%v: a dispatch took %v", dev, d)
			}
		}
		if sum <= 0 || sum > time.Minute {
			t.Errorf("%v: %v in all", dev, sum)
		}
		got := make([]float32, y.Len())
		if err := p.Read(ctx, y, got); err != nil || !slices.Equal(got, wanted) {
			t.Errorf("%v: %v: the results are not those of %d runs: %v, want %v", dev, err, 1+runs, got[:4], wanted[:4])
		}
		stopped, stop := context.WithCancel(ctx)
		stop()
		if _, err := (*compiler.Program)(p).Profile(stopped, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: with a cancelled context: %v", dev, err)
		}
		p.Close()
		if _, err := (*compiler.Program)(p).Profile(ctx, 1); !errors.Is(err, compute.ErrClosed) {
			t.Errorf("%v: after Close: %v", dev, err)
		}
		dev.Forget(params...)
	}
}
