package engine

import (
	"context"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

// Some drivers make machine code when a pipeline is first dispatched (lavapipe does, in
// one thread). A dispatch of no workgroups is enough for that, so a program that is
// built runs one of each of its new pipelines: whoever waits for Compile knows how far
// it is, and no time of a run is that of compiling.

// prime runs commands whose pipelines were never dispatched, without workgroups, and
// calls told when the driver is through with each.
func (e *GPU) prime(commands []webgpu.Command, told map[*webgpu.Pipeline]func()) error {
	var fresh []webgpu.Command
	e.mu.Lock()
	for _, c := range commands {
		if webgpu.Lazy && c.Pipeline != nil && !e.primed[c.Pipeline] {
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
	for i, c := range fresh {
		if err := e.submit(plan, i, i+1); err != nil {
			return err
		}
		if err := e.wait(context.Background()); err != nil {
			return err
		}
		told[c.Pipeline]()
	}
	return nil
}
