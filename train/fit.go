package train

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train/data"
)

// Callback is code of the caller's that a loop runs, each function where there is one. An
// error ends Run, which returns it; what was trained since the last checkpoint is lost
// then. Stop ends Run in peace.
type Callback struct {
	BeforeFit, AfterFit     func(*Fit) error // once everything is ready, and after the last step
	BeforeEpoch, AfterEpoch func(*Fit) error // AfterEpoch after the evaluation and the checkpoint
	BeforeStep, AfterStep   func(*Fit) error // around each batch; the device works on behind AfterStep
}

// Fit is a run of a loop, as callbacks see it.
type Fit struct {
	Loop              *Loop
	Device            *compute.Device
	Train, Validation data.Dataset // Validation is nil where none was given
	Epoch             int          // the one in progress or just done, counted from 1; before a run that is done already, its last
	Step              int          // batches done, of the run
	Steps             int          // batches of an epoch
	History           History      // of the epochs that are done

	run     *run
	stopped string
}

// Stop ends the run after the step or epoch in progress, as its last one would: Run
// returns no error, and where there is a checkpoint it holds the last step. It says so
// with a reason; of several the first is kept.
func (f *Fit) Stop(reason string) {
	if f.stopped == "" {
		f.stopped = nameOr(reason, "a callback stopped it")
	}
}

// Stopped is why the run ends before its last epoch, or "".
func (f *Fit) Stopped() string { return f.stopped }

// Metrics waits for the device and returns what it has measured on the training set since
// the epoch began, or the error of the context.
func (f *Fit) Metrics(ctx context.Context) (Metrics, error) {
	return f.run.sums.read(ctx, f.Device)
}

// call runs one function of each callback, in their order.
func (r *run) call(name string, of func(*Callback) func(*Fit) error) error {
	if len(r.Callbacks) == 0 {
		return nil
	}
	r.fit.Step, r.fit.History = r.step, r.history
	for i := range r.Callbacks {
		if f := of(&r.Callbacks[i]); f != nil {
			if err := f(r.fit); err != nil {
				return fmt.Errorf("train: callback %d, %s, at step %d: %w", i, name, r.step, err)
			}
		}
	}
	return nil
}

func (r *run) beforeFit() error {
	return r.call("BeforeFit", func(c *Callback) func(*Fit) error { return c.BeforeFit })
}

func (r *run) afterFit() error {
	return r.call("AfterFit", func(c *Callback) func(*Fit) error { return c.AfterFit })
}

func (r *run) beforeEpoch() error {
	return r.call("BeforeEpoch", func(c *Callback) func(*Fit) error { return c.BeforeEpoch })
}

func (r *run) afterEpoch() error {
	return r.call("AfterEpoch", func(c *Callback) func(*Fit) error { return c.AfterEpoch })
}

func (r *run) beforeStep() error {
	return r.call("BeforeStep", func(c *Callback) func(*Fit) error { return c.BeforeStep })
}

func (r *run) afterStep() error {
	return r.call("AfterStep", func(c *Callback) func(*Fit) error { return c.AfterStep })
}
