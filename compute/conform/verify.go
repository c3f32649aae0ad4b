package conform

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/compiler"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
)

// Fault is the first place where a device left the bounds of a model's kernels.
type Fault struct {
	Part  string // of the model, such as "3 Linear(512, 10)"
	Check Check
}

func (f *Fault) String() string {
	return fmt.Sprintf("%s: kernel %s %s: %s: %d of %d elements illegal, the worst %v", orDash(f.Part), f.Check.Kernel, f.Check.Params, f.Check.Tensor, f.Check.Illegal, f.Check.Elements, f.Check.Worst)
}

// Verify runs a model on an input, row-major and of the shape, dispatch by dispatch,
// and returns the first that leaves its bounds, or nil. The parameters are those on
// the device. Errors are those of package compute.
func Verify(ctx context.Context, dev *compute.Device, model interface {
	Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor
}, input []float32, shape ...int) (*Fault, error) {
	t := compute.NewTape(dev)
	x := t.Input("x", compute.F32, shape...)
	t.Keep(model.Forward(t, x))
	var fault *Fault
	r, report := &Result{}, &Report{index: map[string]*Kernel{}}
	_, err := compiler.Judge(ctx, (*ir.Tape)(t), func(p *compiler.Program) error { return p.Write((*ir.Tensor)(x), input) }, func(j *judge.Judged) {
		r.judge(j, report)
		if c := r.Checks[len(r.Checks)-1]; fault == nil && c.Illegal > 0 {
			fault = &Fault{j.Part, c}
		}
	})
	return fault, err
}
