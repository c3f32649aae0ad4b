package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

// wgpu-native hands timestamps on as drivers write them, in ticks of their own clock
// (of 1 ns on NVIDIA, 10 on AMD, 52 or 83 on Intel), and does not tell what a tick is.
// So it is measured, once per device, against the host's clock.

// tickText is a kernel of one invocation, to have something between two timestamps.
const tickText = `@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn tick() { x[0] += 1u; }`

// tickTime is how far apart the two timestamps are that are compared with the host's
// clock, which is off by as long as a submission takes.
const tickTime = 100 * time.Millisecond

// tick is how many nanoseconds a tick of the device's clock takes. It wraps
// webgpu.ErrNoStamps where the device writes no timestamps, or its clock stands still.
func (e *GPU) tick(ctx context.Context) (float64, error) { return e.measured(ctx, e.measureTick) }

// measured is what measure returned first, but for errors that may not come again.
func (e *GPU) measured(ctx context.Context, measure func(context.Context) (float64, error)) (float64, error) {
	e.ticks.Lock()
	defer e.ticks.Unlock()
	if e.ticks.period == 0 && e.ticks.err == nil {
		period, err := measure(ctx)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err != nil && !errors.Is(err, webgpu.ErrNoStamps) {
			return 0, err
		}
		e.ticks.period, e.ticks.err = period, err
	}
	return e.ticks.period, e.ticks.err
}

func (e *GPU) measureTick(ctx context.Context) (float64, error) {
	x, err := e.dev.NewBuffer("tick", 4, webgpu.Storage)
	if err != nil {
		return 0, err
	}
	defer x.Release()
	p, err := e.dev.NewPipeline("tick", tickText, "tick", []webgpu.Slot{{Binding: 0, Access: webgpu.ReadWrite}})
	if err != nil {
		return 0, err
	}
	defer p.Release()
	group, err := e.dev.NewBindGroup("tick", p, webgpu.Whole(x))
	if err != nil {
		return 0, err
	}
	defer group.Release()
	plan, err := e.dev.NewPlan([]webgpu.Command{{Pipeline: p, Bindings: group, Groups: [3]uint32{1, 1, 1}}})
	if err != nil {
		return 0, err
	}
	defer plan.Release()
	// The device writes a timestamp between the start of the call and its end.
	var first, last uint64
	var earliest, latest [2]time.Time
	for i := 0; i < 3 || time.Since(earliest[0]) < tickTime; i++ { // the first one may compile
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		spans, err := e.stamp(plan, 0, 1)
		if err != nil {
			return 0, err
		}
		last, earliest[1], latest[1] = spans[0].End, start, time.Now()
		if i <= 1 {
			first, earliest[0], latest[0] = last, start, latest[1]
		}
	}
	return period(first, last, earliest[1].Sub(latest[0]), latest[1].Sub(earliest[0]))
}

// period is how many nanoseconds a tick takes, where the time from the first to the last
// is between two bounds: 1 where that is possible, as WebGPU wants it and most drivers
// have it, else what the middle says.
func period(first, last uint64, least, most time.Duration) (float64, error) {
	if last <= first {
		return 0, fmt.Errorf("its clock goes from %d to %d in %v: %w", first, last, most, webgpu.ErrNoStamps)
	}
	ticks := float64(last - first)
	from, to := math.Max(0, float64(least))/ticks, float64(most)/ticks
	if from <= 1 && 1 <= to {
		return 1, nil
	}
	return (from + to) / 2, nil
}

// stamp runs commands and returns when each ran, by the device's clock.
func (e *GPU) stamp(p *webgpu.Plan, first, last int) ([]webgpu.Span, error) {
	if err := e.wait(context.Background()); err != nil {
		return nil, err
	}
	e.written.Store(false)
	return e.dev.Stamp(context.Background(), p, first, last)
}
