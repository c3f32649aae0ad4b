package train

import (
	"context"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// evalBatch is the number of examples an evaluation runs at once, where no loop says.
const evalBatch = 250

// enough is how many examples keep a device as busy as evalBatch does.
const enough = 32

// EvalBatch is how many examples an evaluation runs at once: as many as a step, whose texts
// are compiled and judged already, or 250 where a step has fewer than 32.
func (l *Loop) EvalBatch() int {
	switch {
	case l.Batch == 0:
		return defaultBatch
	case l.Batch < enough:
		return evalBatch
	}
	return l.Batch
}

// Evaluator measures a model on a set that it holds in device memory, or streams where
// it is too large (see Loop.Budget). Close frees the set and the programs.
type Evaluator struct {
	dev      *compute.Device
	set      *source
	clock    *compute.Param
	sums     *sums
	programs []*compute.Program // full batches, and the rest where there is one
	full     int
}

// NewEvaluator compiles the evaluation of the model on the set, with tensors stored as
// f16 where a storage says so (see compute.Tape.Storage). The model's parameters are
// those on the device.
func NewEvaluator(dev *compute.Device, model layers.Layer, loss layers.Loss, set data.Dataset, storage ...compute.DType) (*Evaluator, error) {
	stored := compute.F32
	if len(storage) > 0 {
		stored = storage[0]
	}
	return newEvaluator(dev, model, loss, set, evalBatch, stored, 0, 0)
}

// newEvaluator is NewEvaluator with a number of examples at once, a budget of device memory
// for the set and the number of classes that "top" looks at, and without the named passes.
func newEvaluator(dev *compute.Device, model layers.Layer, loss layers.Loss, set data.Dataset, batch int, storage compute.DType, budget int64, top int, without ...string) (*Evaluator, error) {
	if err := set.Spec().Check(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if set.Len() == 0 {
		return nil, fmt.Errorf("train: %s has no examples to evaluate", set.Spec().Name)
	}
	batch = min(batch, set.Len())
	held, err := newSource(dev, set, budget, batch, (set.Len()+batch-1)/batch*batch, set.Len(), func(position int) int { return position })
	if err != nil {
		return nil, err
	}
	e := &Evaluator{dev: dev, set: held, clock: compute.NewParamU32("evaluate.clock", 2), sums: newSums(top)}
	e.full = set.Len() / batch
	parts := []int{batch}
	if rest := set.Len() % batch; rest > 0 { // of a batch as large, of which only so many rows count
		parts = append(parts, rest)
	}
	for _, rows := range parts {
		t := compute.NewTape(dev)
		t.Storage = storage
		for _, p := range layers.Params(model) {
			t.Master(p) // of which copies are cast in every run, so that they follow a training loop
		}
		x, y := e.set.record(t, e.clock, e.full+len(parts)-1, false)
		logits := model.Forward(t, x)
		if err := tells(logits, batch, held.spec); err != nil {
			e.Close()
			return nil, err
		}
		if rows < batch {
			logits, y = head(t, e.clock, logits, rows), head(t, e.clock, y, rows)
		}
		e.sums.record(t, loss.Loss(t, logits, y), logits, y)
		clockTick.Run(clockParams{1}, t.Param(e.clock))
		p, err := t.Compile(without...)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.programs = append(e.programs, p)
	}
	return e, nil
}

// Run returns the mean loss and the accuracy of the model as it is now; the accuracy
// is 0 where targets are numbers.
func (e *Evaluator) Run(ctx context.Context) (loss, accuracy float64, err error) {
	m, err := e.Measure(ctx)
	return m.Loss, m.Accuracy, err
}

// Measure returns all that is measured of the model as it is now.
func (e *Evaluator) Measure(ctx context.Context) (Metrics, error) {
	clear(e.clock.Ints)
	if err := e.dev.Upload(e.clock); err != nil {
		return Metrics{}, err
	}
	if err := e.sums.reset(e.dev); err != nil {
		return Metrics{}, err
	}
	e.set.begin(0)
	defer e.set.end()
	for step, p := range e.steps() {
		if err := e.set.before(ctx, step); err != nil {
			return Metrics{}, err
		}
		if err := p.Run(ctx); err != nil {
			return Metrics{}, err
		}
	}
	return e.sums.read(ctx, e.dev)
}

// steps are the program of each step.
func (e *Evaluator) steps() (all []*compute.Program) {
	for range e.full {
		all = append(all, e.programs[0])
	}
	return append(all, e.programs[1:]...)
}

// Close frees what the evaluator holds on the device.
func (e *Evaluator) Close() {
	for _, p := range e.programs {
		p.Close()
	}
	e.dev.Forget(append(append(e.set.arrays(), e.clock), e.sums.arrays()...)...)
}
