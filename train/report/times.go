package report

import (
	"context"
	"errors"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// time measures the kernels of a training step, as demo bench step does. The steps
// change the weights on the device; the host's are what they were, and go back.
func (f *Findings) time(ctx context.Context, dev *compute.Device, loop *train.Loop, set, _ data.Dataset, _ Options) (err error) {
	defer func() { err = errors.Join(err, dev.Upload(paramsOf(loop.Model)...)) }()
	// The set is the examples of one update: as many epochs of it as the run has updates
	// leave a schedule the length that it was made for.
	update := loop.Batch * max(loop.Accumulate, 1)
	step := *loop // Inspect fills in what is left out
	step.Epochs = max(loop.Epochs*(set.Len()/update), 1)
	return step.Inspect(dev, first{set, update}, func(p *compute.Program) error {
		f.Kernels, f.Clock, err = bench.ByKernel(ctx, p)
		return err
	})
}

// summary is the table of the model's layers, for a batch of one.
func (f *Findings) summary(_ context.Context, _ *compute.Device, loop *train.Loop, set, _ data.Dataset, _ Options) error {
	var err error
	f.Summary, err = layers.Summarize(loop.Model, append([]int{1}, set.Spec().Shape...)...)
	return err
}
