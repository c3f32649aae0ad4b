package compute

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute/internal/webgpu"
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
