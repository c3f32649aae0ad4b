package compute_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
)

// TestTime checks that timing a program runs it whole: what it counts goes on.
func TestTime(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
		devicetest.NoLeaks(t, dev)
		one, sum := compute.NewParam("one", 1), compute.NewParam("sum", 1, 1)
		one.Data[0] = 1
		tape := compute.NewTape(dev)
		x := tape.Param(one)
		layers.MatMul(tape.Reshape(x, 1, 1), tape.Reshape(x, 1, 1), tape.Param(sum), layers.MatMulOptions{})
		y := layers.ReLU{}.Forward(tape, tape.Param(sum))
		tape.Keep(y)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		steps, err := p.Steps()
		if err != nil {
			t.Fatal(err)
		}
		times, err := p.Time(context.Background())
		if err != nil || len(times) != len(steps) {
			t.Fatalf("%v: %d times of %d dispatches, %v", dev, len(times), len(steps), err)
		}
		got, runs := make([]float32, 1), float32(6)
		if err := p.Read(context.Background(), y, got); err != nil || got[0] != runs {
			t.Errorf("%v: the program counts to %v, want %v, %v", dev, got, runs, err)
		}
		stopped, stop := context.WithCancel(context.Background())
		stop()
		if _, err := p.Time(stopped); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: with a cancelled context: %v", dev, err)
		}
		p.Close()
		if _, err := p.Time(context.Background()); !errors.Is(err, compute.ErrClosed) {
			t.Errorf("%v: after Close: %v", dev, err)
		}
		dev.Forget(one, sum)
	}
}
