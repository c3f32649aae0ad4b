package compute

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

// Clock says what a profile was measured with.
type Clock string

// The clocks.
const (
	// DeviceClock is the device's own: it writes timestamps before and after each
	// dispatch, so that times are free of what it costs to submit and to wait.
	DeviceClock Clock = "timestamps of the device"
	// HostClock is the host's: each dispatch is submitted and waited for alone, and the
	// cost of submitting and waiting is measured and taken off.
	HostClock Clock = "clock of the host"
)

// Profile says how long each dispatch of a program took. Dispatches run one after
// another for that; the sum is more than what Run takes where they overlap.
type Profile struct {
	Clock Clock
	Why   string          // of the host's clock: why the device has none
	Times []time.Duration // the least of the runs, by dispatch as Steps lists them
}

// Profile runs the program once, for drivers may compile then, and as many times more
// as runs says, of which it measures each dispatch: by the device's own timestamps
// where it was opened with them, which Open does where the adapter has the feature
// timestamp-query and Want does not ask for the default limits; in browsers, which
// round timestamps, and elsewhere by the host's clock. It is for finding out where the
// time of a run goes. Results are the same as of Run. A cancelled context stops it
// between two runs. It panics unless runs is 1 or more.
func (p *Program) Profile(ctx context.Context, runs int) (*Profile, error) {
	if runs < 1 {
		panic(fmt.Sprintf("compute: Program.Profile: %d runs, want 1 or more", runs))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("compute: %s: %w", p.name, ErrClosed)
	}
	if err := p.dev.open(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := p.runner.run(ctx); err != nil {
		return nil, err
	}
	r, ok := p.runner.(*gpuRunner)
	if !ok {
		return p.hostProfile(ctx, runs, 0, "it is the reference device")
	}
	why := "it was opened without " + webgpu.TimestampQuery
	if p.dev.stamps {
		period, err := r.eng.tick(ctx)
		if err == nil {
			return r.profile(ctx, runs, period)
		}
		if !errors.Is(err, webgpu.ErrNoStamps) {
			return nil, err
		}
		why = err.Error()
	}
	idle, err := r.eng.idle()
	if err != nil {
		return nil, err
	}
	return p.hostProfile(ctx, runs, idle, why)
}

// hostProfile measures by the host's clock; idle is what a submission costs.
func (p *Program) hostProfile(ctx context.Context, runs int, idle time.Duration, why string) (*Profile, error) {
	least := make([]time.Duration, len(p.list))
	for round := range runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range least {
			start := time.Now()
			if err := p.runner.step(i); err != nil {
				return nil, err
			}
			if t := max(0, time.Since(start)-idle); round == 0 || t < least[i] {
				least[i] = t
			}
		}
	}
	return &Profile{Clock: HostClock, Why: why, Times: least}, nil
}

// profile measures by timestamps, of which a tick takes so many nanoseconds. A dispatch
// that ends before it begins, for the clock started anew, does not count.
func (r *gpuRunner) profile(ctx context.Context, runs int, period float64) (*Profile, error) {
	least := make([]uint64, len(r.cost))
	counted := make([]bool, len(r.cost))
	for range runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first := 0
		for _, c := range r.cuts {
			spans, err := r.eng.stamp(r.plan, first, c.last)
			if err != nil {
				return nil, err
			}
			for i, s := range spans {
				if k := first + i; s.End >= s.Begin && (!counted[k] || s.End-s.Begin < least[k]) {
					least[k], counted[k] = s.End-s.Begin, true
				}
			}
			first = c.last
		}
	}
	times := make([]time.Duration, len(r.index)-1)
	for i := range times {
		k := r.index[i+1] - 1
		if k < r.index[i] {
			continue // nothing to do
		}
		if !counted[k] {
			return nil, fmt.Errorf("compute: profile: dispatch %d ended before it began by the device's clock, in each of %d runs", i, runs)
		}
		times[i] = time.Duration(float64(least[k]) * period)
	}
	return &Profile{Clock: DeviceClock, Times: times}, nil
}

// idleRuns is how often idle submits.
const idleRuns = 20

// idle is the least time to submit next to nothing, a copy of four bytes, and to
// wait for it.
func (e *gpu) idle() (least time.Duration, err error) {
	to, err := e.dev.NewBuffer("idle", 4, webgpu.Staging)
	if err != nil {
		return 0, err
	}
	defer to.Release()
	plan, err := e.dev.NewPlan([]webgpu.Command{{Src: e.nonces, Dst: to, Size: 4}})
	if err != nil {
		return 0, err
	}
	defer plan.Release()
	if err := e.wait(context.Background()); err != nil {
		return 0, err
	}
	for i := range idleRuns {
		start := time.Now()
		if err := e.dev.Submit(plan, 0, 1); err != nil {
			return 0, err
		}
		if err := e.wait(context.Background()); err != nil {
			return 0, err
		}
		if t := time.Since(start); i == 0 || t < least {
			least = t
		}
	}
	return least, nil
}
