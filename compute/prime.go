package compute

import (
	"context"

	"github.com/pumice-ml/pumice/compute/internal/webgpu"
)

// Some drivers make machine code when a pipeline is first dispatched (lavapipe does, in
// one thread). A dispatch of no workgroups is enough for that, so a program that is
// built submits one for each of its new pipelines: the driver works while the next
// program is built, and no time of a run is that of compiling.

// prime submits commands whose pipelines were never dispatched, without workgroups. It
// does not wait: told is called when the driver is through with a pipeline.
func (e *gpu) prime(commands []webgpu.Command, told map[*webgpu.Pipeline]func()) error {
	if !webgpu.Lazy {
		return nil
	}
	var fresh []webgpu.Command
	e.mu.Lock()
	for _, c := range commands {
		if !e.primed[c.Pipeline] {
			e.primed[c.Pipeline] = true
			fresh = append(fresh, webgpu.Command{Pipeline: c.Pipeline, Bindings: c.Bindings})
		}
	}
	e.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	plan, err := e.dev.NewPlan(fresh)
	if err != nil {
		return err
	}
	defer plan.Release()
	after, err := e.alloc("primed", F32, 1) // its read-backs say how far the queue is
	if err != nil {
		return err
	}
	var waiting []pending
	for i := range fresh {
		if err = e.submit(plan, i, i+1); err != nil {
			break
		}
		r, readErr := e.read(after)
		if err = readErr; err != nil {
			break
		}
		waiting = append(waiting, r)
	}
	e.priming.Go(func() {
		for i, r := range waiting {
			_ = r.wait(context.Background(), make([]uint32, 1)) // a run of the program meets the same error
			told[fresh[i].Pipeline]()
		}
		e.free(after)
	})
	return err
}
