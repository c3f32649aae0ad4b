package compiler

import (
	"context"
	"fmt"
	"time"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
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
		return nil, fmt.Errorf("compute: %s: %w", p.place.Name, ir.ErrClosed)
	}
	if err := p.dev.Usable(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := p.runner.Run(ctx); err != nil {
		return nil, err
	}
	r, ok := p.runner.(*engine.GPURunner)
	if !ok {
		return p.hostProfile(ctx, runs, 0, "it is the reference device")
	}
	times, why, err := r.Profile(ctx, runs)
	if err != nil {
		return nil, err
	}
	if why == "" {
		return &Profile{Clock: DeviceClock, Times: times}, nil
	}
	idle, err := r.Eng.Idle()
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
			if err := p.runner.Step(i); err != nil {
				return nil, err
			}
			if t := max(0, time.Since(start)-idle); round == 0 || t < least[i] {
				least[i] = t
			}
		}
	}
	return &Profile{Clock: HostClock, Why: why, Times: least}, nil
}
