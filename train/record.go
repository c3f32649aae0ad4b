package train

import (
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/train/data"
)

// Inspect compiles one training step on the set, as Run does, for visit to look at. A set
// that is beyond the Budget is not fed to it: a step that is run takes zeros.
func (l *Loop) Inspect(dev *compute.Device, trainSet data.Dataset, visit func(step *compute.Program) error) error {
	return l.inspect(dev, trainSet, func(r *run) error { return visit(r.program) })
}

// inspect is Inspect of a run, whose source can begin.
func (l *Loop) inspect(dev *compute.Device, trainSet data.Dataset, visit func(r *run) error) error {
	r, err := l.prepare(dev, trainSet)
	if err != nil {
		return err
	}
	release, err := r.compile()
	if err != nil {
		return err
	}
	defer release()
	return visit(r)
}

// Record records one training step on the set, held in device memory, as Run compiles it.
// It sets the tape's Training, Clock and Storage.
func (l *Loop) Record(t *compute.Tape, trainSet data.Dataset) error {
	r, err := l.prepare(t.Device(), trainSet)
	if err != nil {
		return err
	}
	held, err := newResident(trainSet, trainSet.Len())
	if err != nil {
		return err
	}
	return r.record(t, &source{resident: held, batch: r.Batch}, true)
}

// record records one step, with the update at its end or without it.
func (r *run) record(t *compute.Tape, set *source, update bool) error {
	t.Training, t.Clock, t.Storage = true, r.clock, r.Storage
	r.watch.begin(t)
	x, y := set.record(t, r.clock, r.steps, true)
	x, criterion := r.Augment.Apply(t, x, r.Loss)
	r.watch.forward(r.Model, y)
	logits := r.Model.Forward(t, x)
	if err := tells(logits, r.Batch, r.spec); err != nil {
		return err
	}
	r.watch.loss()
	loss := criterion.Loss(t, logits, y)
	if r.keepLoss {
		t.Keep(loss)
		r.loss = loss
	}
	r.sums.record(t, loss, logits, y)
	if r.added != nil {
		r.added.record(t, r.state, loss, r.scaler.start())
	}
	r.watch.backward(r.state, r.scaler)
	switch {
	case r.added != nil:
		t.BackwardFromGrads()
	case r.scaler != nil:
		r.scaler.backward(t, loss)
	default:
		t.Backward(loss)
	}
	if update {
		if err := r.update(t); err != nil {
			return err
		}
	}
	clockTick.Run(clockParams{1}, t.Param(r.clock))
	r.watch.end()
	return nil
}

// update records what becomes of the gradients.
func (r *run) update(t *compute.Tape) error {
	clock := r.clock
	if r.added != nil {
		clock = r.updates
	}
	if r.Schedule != nil {
		r.Schedule.Rate(t, t.Param(clock), t.Master(r.state.Rate), r.Optimizer.LearningRate(), r.total())
	}
	r.watch.gradients()
	if r.scaler == nil {
		r.watch.update()
	} else {
		r.scaler.unscale(t, r.state)
	}
	r.Clip.record(t, r.state)
	if r.scaler != nil {
		r.watch.update() // what was scaled may be infinite until the step is known to be skipped
		if err := r.scaler.update(t, r.Optimizer, r.state); err != nil {
			return err
		}
	} else {
		r.Optimizer.Update(t, r.state)
	}
	if r.averages != nil {
		r.averages.record(t, clock)
	}
	if r.added != nil {
		r.added.clear(t)
		clockTick.Run(clockParams{1}, t.Param(r.updates))
	}
	return nil
}

// compile compiles the steps, without the named passes. The caller calls release, which
// frees what the run holds on the device but for the model.
func (r *run) compile(without ...string) (release func(), err error) {
	set, err := newSource(r.dev, r.set, r.Budget, r.Batch, r.set.Len(), r.steps*r.Batch*r.Epochs, r.example)
	if err != nil {
		return nil, err
	}
	r.source = set
	release = func() {
		set.end()
		for _, p := range []*compute.Program{r.program, r.part} {
			if p != nil {
				p.Close()
			}
		}
		r.averages.close()
		r.dev.Forget(append(set.arrays(), r.clock, r.updates, r.state.Rate)...)
		for _, of := range [][]*compute.Param{r.sums.arrays(), r.state.Slots(), r.state.groups.arrays(), r.scaler.arrays(), r.added.arrays(), r.averages.arrays(), r.watch.arrays()} {
			r.dev.Forget(of...)
		}
		if r.added != nil {
			r.dev.Forget(r.added.seed)
		}
	}
	step := func(update bool) (*compute.Program, error) {
		t := compute.NewTape(r.dev)
		if err := r.record(t, set, update); err != nil {
			return nil, err
		}
		return t.Compile(without...)
	}
	if r.program, err = step(true); err == nil && r.added != nil {
		r.part, err = step(false)
	}
	if err == nil && r.averages != nil && r.averages.Use {
		err = r.averages.compile(r.dev, without...)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// example is the index of the example at a position of the run: those of an epoch are a
// permutation of the set, as batch.load makes it.
func (r *run) example(position int) int {
	epoch, count := position/(r.steps*r.Batch), uint32(r.set.Len())
	return int(permute(uint32(position%(r.steps*r.Batch)), count, halfBits(int(count)), r.Seed, uint32(epoch)))
}

// tells wants a row for each example: of at least as many logits as the set has
// classes, or of a number for each of a target.
func tells(y *compute.Tensor, batch int, set data.Spec) error {
	s := y.Shape()
	if set.Targets > 0 {
		if !slices.Equal(s, []int{batch, set.Targets}) {
			return fmt.Errorf("train: the model makes %v of %d examples, want (%d, %d), the targets of %s", s, batch, batch, set.Targets, set.Name)
		}
		return nil
	}
	if len(s) != 2 || s[0] != batch || s[1] < len(set.Classes) {
		return fmt.Errorf("train: the model makes %v of %d examples, want (%d, classes) with %d classes or more, those of %s", s, batch, batch, len(set.Classes), set.Name)
	}
	return nil
}
