package engine

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/webgpu"
)

func TestPeriod(t *testing.T) {
	for _, c := range []struct {
		first, last uint64
		least, most time.Duration
		want        float64 // nanoseconds
	}{
		{5e9, 5e9 + 100_000_000, 99 * time.Millisecond, 102 * time.Millisecond, 1},
		{1 << 60, 1<<60 + 10_000_000, 99 * time.Millisecond, 101 * time.Millisecond, 10},
		{7, 7 + 1_920_000, 99 * time.Millisecond, 101 * time.Millisecond, 100e6 / 1.92e6},
		{1, 3, -time.Millisecond, time.Millisecond, 1}, // nothing is known: as WebGPU wants it
	} {
		got, err := period(c.first, c.last, c.least, c.most)
		if err != nil || math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%d to %d in %v to %v: a tick of %v ns, %v, want %v", c.first, c.last, c.least, c.most, got, err, c.want)
		}
	}
	for _, last := range []uint64{7, 6} {
		if _, err := period(7, last, time.Second, time.Second); !errors.Is(err, webgpu.ErrNoStamps) {
			t.Errorf("a clock that goes from 7 to %d: %v, want ErrNoStamps", last, err)
		}
	}
}

// TestTickOnce wants a tick to be measured once, a clock that writes no timestamps to be
// asked once, and a failure that may pass to be forgotten.
func TestTickOnce(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name          string
		first, second error // of two calls
		asked         int
	}{{"measured", nil, nil, 1}, {"no timestamps", webgpu.ErrNoStamps, webgpu.ErrNoStamps, 1}, {"no memory", ir.ErrOutOfMemory, nil, 2}} {
		e, asked := &GPU{}, 0
		measure := func(context.Context) (float64, error) {
			if asked++; asked == 1 && c.first != nil {
				return 0, c.first
			}
			return 52, nil
		}
		for i, want := range []error{c.first, c.second} {
			got, err := e.measured(ctx, measure)
			if !errors.Is(err, want) || err == nil && got != 52 {
				t.Errorf("%s, call %d: %v ns, %v, want 52 ns or %v", c.name, i+1, got, err, want)
			}
		}
		if asked != c.asked {
			t.Errorf("%s: measured %d times, want %d", c.name, asked, c.asked)
		}
	}
}
