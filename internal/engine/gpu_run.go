package engine

import (
	"context"
	"slices"
	"time"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

const (
	// longSubmission is the most measured work of one submission: Windows resets
	// a GPU that is busy for 2 s, macOS kills long command buffers.
	longSubmission = 100 * time.Millisecond
	// inFlight is the most measured work that waits on the device.
	inFlight = 250 * time.Millisecond
)

// GPURunner replays a plan. The first two runs submit one dispatch at a time
// and measure each (in the first a driver may still have to move things); from then on
// the plan goes out in as few submissions as its measured time allows.
type GPURunner struct {
	Eng      *GPU
	plan     *webgpu.Plan
	Index    []int // first command of each dispatch, the last of which runs it; the next one's where it has none
	groups   []*webgpu.BindGroup
	uniforms []*webgpu.Buffer
	copies   []*webgpu.Buffer // see gpu.oneUse
	cost     []time.Duration
	Measured int
	cuts     []cut
}

type cut struct {
	last int
	cost time.Duration
}

func (r *GPURunner) Run(ctx context.Context) error {
	if r.Measured < 2 {
		return r.measure(ctx)
	}
	first := 0
	for _, c := range r.cuts {
		if time.Duration(r.Eng.flying.Add(int64(c.cost))) > inFlight {
			if err := r.Eng.wait(context.Background()); err != nil {
				return err
			}
		}
		if err := r.Eng.submit(r.plan, first, c.last); err != nil {
			return err
		}
		first = c.last
	}
	return nil
}

func (r *GPURunner) measure(ctx context.Context) error {
	if err := r.Eng.wait(context.Background()); err != nil {
		return err
	}
	for i := range r.cost {
		start := time.Now()
		if err := r.SubmitAndWait(i, i+1); err != nil {
			return err
		}
		if t := time.Since(start); r.Measured == 0 || t < r.cost[i] {
			r.cost[i] = t
		}
	}
	r.Measured++
	r.cuts = split(r.cost)
	return nil
}

// split puts as many dispatches, of the given times, in a submission as take no
// longer than longSubmission together.
func split(cost []time.Duration) (cuts []cut) {
	for i, t := range cost {
		if n := len(cuts); n == 0 || cuts[n-1].cost+t > longSubmission {
			cuts = append(cuts, cut{})
		}
		c := &cuts[len(cuts)-1]
		c.last = i + 1
		c.cost += t
	}
	return cuts
}

// SubmitAndWait runs some commands of the plan.
func (r *GPURunner) SubmitAndWait(first, last int) error {
	if err := r.Eng.submit(r.plan, first, last); err != nil {
		return err
	}
	return r.Eng.wait(context.Background())
}

func (r *GPURunner) Step(i int) error {
	return r.SubmitAndWait(r.Index[i], r.Index[i+1])
}

func (r *GPURunner) Release() {
	if r.plan != nil {
		r.plan.Release()
	}
	for _, g := range r.groups {
		g.Release()
	}
	for _, b := range slices.Concat(r.uniforms, r.copies) {
		b.Release()
	}
}
