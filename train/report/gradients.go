package report

import (
	"context"
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// Gradients computes the gradient of a loss for one batch of examples, whenever it is
// asked, as the model's weights then are on the device: in f32, with nothing dropped
// and running statistics used. Its owner calls Close.
type Gradients struct {
	program *compute.Program
	names   []string
	grads   []*compute.Tensor
}

// NewGradients compiles the gradients for the first examples of a set.
func NewGradients(dev *compute.Device, model layers.Layer, loss layers.Loss, set data.Dataset, examples int) (*Gradients, error) {
	spec, rows := set.Spec(), min(examples, set.Len())
	if rows < 1 {
		return nil, fmt.Errorf("report: Gradients: %d examples of %d, want 1 or more", examples, set.Len())
	}
	t := compute.NewTape(dev)
	x := inputOf(t, spec, rows)
	var y *compute.Tensor
	if spec.Targets > 0 {
		y = t.Input("targets", compute.F32, rows, spec.Targets)
	} else {
		y = t.Input("labels", compute.U32, rows)
	}
	t.Backward(loss.Loss(t, model.Forward(t, x), y))
	g := &Gradients{}
	for name, p := range layers.Params(model) {
		if p.Frozen {
			continue
		}
		d := t.Grad(t.Param(p))
		t.Keep(d)
		g.names, g.grads = append(g.names, name), append(g.grads, d)
	}
	var err error
	if g.program, err = t.Compile(); err != nil {
		return nil, fmt.Errorf("report: Gradients: %w", err)
	}
	for b, err := range set.Batches(order(rows), rows) {
		if err == nil {
			err = b.Check(spec, 0)
		}
		if err == nil {
			err = write(g.program, x, b, spec)
		}
		if err == nil && spec.Targets > 0 {
			err = g.program.Write(y, b.Targets)
		} else if err == nil {
			err = g.program.WriteU32(y, b.Labels)
		}
		if err != nil {
			g.Close()
			return nil, fmt.Errorf("report: Gradients: %w", err)
		}
	}
	return g, nil
}

// Each gives visit the gradient of every parameter that is not marked Frozen, in a frozen
// group or not, by name, as the weights are now. The numbers are valid until visit returns.
func (g *Gradients) Each(ctx context.Context, visit func(name string, shape []int, dw []float32) error) error {
	if err := g.program.Run(ctx); err != nil {
		return fmt.Errorf("report: Gradients: %w", err)
	}
	for i, d := range g.grads {
		dw := make([]float32, d.Len())
		if err := g.program.Read(ctx, d, dw); err != nil {
			return fmt.Errorf("report: Gradients: %w", err)
		}
		if err := visit(g.names[i], d.Shape(), dw); err != nil {
			return err
		}
	}
	return nil
}

// Close frees what the gradients hold on the device.
func (g *Gradients) Close() error { return g.program.Close() }

// descend fills in the gradients.
func (f *Findings) descend(ctx context.Context, dev *compute.Device, loop *train.Loop, set, _ data.Dataset, o Options) error {
	f.GradientExamples = min(loop.Batch, set.Len())
	g, err := NewGradients(dev, loop.Model, loop.Loss, set, f.GradientExamples)
	if err != nil {
		return err
	}
	defer g.Close()
	return g.Each(ctx, func(name string, shape []int, dw []float32) error {
		f.Gradients = append(f.Gradients, Spread{name, slices.Clone(shape), NewHistogram(dw, o.Bins)})
		return nil
	})
}
