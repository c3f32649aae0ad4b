package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

// Profile measures what each dispatch takes by the device's timestamps, in its least of
// some runs, or says why there are none.
func (r *GPURunner) Profile(ctx context.Context, runs int) (times []time.Duration, why string, err error) {
	if !r.Eng.owner.stamps {
		return nil, "it was opened without " + webgpu.TimestampQuery, nil
	}
	period, err := r.Eng.tick(ctx)
	if errors.Is(err, webgpu.ErrNoStamps) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	times, err = r.profile(ctx, runs, period)
	return times, "", err
}

// profile measures by timestamps, of which a tick takes so many nanoseconds. A dispatch
// that ends before it begins, for the clock started anew, does not count.
func (r *GPURunner) profile(ctx context.Context, runs int, period float64) ([]time.Duration, error) {
	least := make([]uint64, len(r.cost))
	counted := make([]bool, len(r.cost))
	for range runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first := 0
		for _, c := range r.cuts {
			spans, err := r.Eng.stamp(r.plan, first, c.last)
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
	times := make([]time.Duration, len(r.Index)-1)
	for i := range times {
		k := r.Index[i+1] - 1
		if k < r.Index[i] {
			continue // nothing to do
		}
		if !counted[k] {
			return nil, fmt.Errorf("compute: profile: dispatch %d ended before it began by the device's clock, in each of %d runs", i, runs)
		}
		times[i] = time.Duration(float64(least[k]) * period)
	}
	return times, nil
}

// idleRuns is how often idle submits.
const idleRuns = 20

// Idle is the least time to submit next to nothing, a copy of four bytes, and to
// wait for it.
func (e *GPU) Idle() (least time.Duration, err error) {
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
