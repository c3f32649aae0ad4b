package train

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// Warm compiles what Run compiles for sets of the same sizes, and runs each program
// once, for drivers may compile then, so that Run finds all pipelines in the device. It
// is for the time in which the sets are still being read, in a goroutine of its own,
// with sets of zeros (data.Blank); the programs depend on their sizes and not on their
// numbers, so on sets of other sizes it is of little use, but does no harm. Run may
// follow with this loop or one like it, when Warm has returned.
//
// Variants of kernels that would have to be measured are left to Run, for processors
// that read data measure wrong. Warm changes nothing on the host and leaves nothing on
// the device but pipelines. It returns an error where the device holds a parameter of
// the model already, and otherwise those of Run, or that of ctx, which it looks at
// between its parts. On the reference device, which compiles nothing, it does nothing.
func (l *Loop) Warm(ctx context.Context, dev *compute.Device, trainSet, validationSet data.Dataset) error {
	if dev.IsReference() {
		return nil
	}
	for name, p := range layers.Params(l.Model) {
		if dev.Holds(p) {
			return fmt.Errorf("train: Warm: the device holds the model's %s already, and a step would change it", name)
		}
	}
	warm := *l
	r, err := warm.prepare(dev, trainSet)
	if err != nil {
		return err
	}
	defer func() { dev.Forget(r.params()...) }()
	release, err := r.compile("measure")
	if err != nil {
		return err
	}
	defer release()
	programs := []*compute.Program{r.program}
	if r.part != nil {
		programs = append(programs, r.part)
	}
	if validationSet != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		tested, err := newEvaluator(dev, l.Model, l.Loss, validationSet, l.EvalBatch(), l.Storage, l.Budget, l.TopK, "measure")
		if err != nil {
			return err
		}
		defer tested.Close()
		programs = append(programs, tested.programs...)
	}
	for _, p := range programs {
		if err := p.Run(ctx); err != nil {
			return fmt.Errorf("train: Warm: %w", err)
		}
	}
	return dev.Wait(ctx)
}
