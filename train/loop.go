// Package train trains models: optimizers, the loop, metrics and checkpoints.
// Weights, gradients and optimizer state stay on the device from the first step
// to the last; a step moves nothing between host and device.
//
//	fit := train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 1e-3}, Batch: 128, Epochs: 3}
//	history, err := fit.Run(ctx, dev, trainSet, testSet)
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// Loop trains a model on a data set held in device memory: on classes, with logits
// (batch, classes) and a loss that takes labels, or on numbers, with outputs (batch,
// targets) and a loss that takes those. Each epoch shuffles the set anew on the device
// and leaves out the last, incomplete batch.
type Loop struct {
	Model     layers.Layer
	Loss      layers.Loss
	Optimizer Optimizer
	Schedule  Schedule // of the learning rate; nil keeps it
	Batch     int      // examples of a step; default 128
	Epochs    int      // default 3
	Seed      uint32
	// Storage is F16 for mixed precision: activations, their gradients and the copies
	// of the weights that layers read are stored as f16, once cast in every step, and
	// the loss is scaled. Weights, their gradients and the optimizer's state stay f32.
	// The device must have the feature shader-f16.
	Storage   compute.DType
	LossScale LossScale // of Storage F16
	// Watch has the device look for infinite numbers and NaN in all that a step computes,
	// and the host ask it after every step: the run stops at the first, with an error that
	// says where it is (see NotFinite). Without it, what is read back anyway is looked at:
	// losses, and the arrays of a checkpoint. Where one of them is not finite and there is
	// a Checkpoint, the steps since then are done again, watched, to say where.
	Watch bool

	// Checkpoint is the file that Run writes before the first step, after every
	// epoch, every Interval, and when the context is cancelled; "" writes none.
	Checkpoint string
	// Interval is the time between checkpoints within an epoch; default 10 s.
	Interval time.Duration
	// Previous is where a run without Resume keeps a file that it finds at
	// Checkpoint, once everything is ready for the first step, unless it is one
	// before any step; "" overwrites it.
	Previous string
	// Resume goes on from Checkpoint. The final weights are bit-equal to those of
	// a run that was never interrupted, on the same device with the same variants of
	// kernels (see compute.Device.Tune). The training set, Seed, Batch, Loss,
	// Optimizer, Schedule, Storage, LossScale and Notes must be those of the run that
	// wrote it; with other Epochs, as many as are done or more, the schedule is that
	// of the new length from here on.
	Resume bool
	// Notes are kept in the checkpoint; so is Source, which says where the training
	// set came from and may change.
	Notes  map[string]string
	Source string
	// Progress, if there is one, is called several times a second within an epoch,
	// and is what Loop reads back from the device for.
	Progress func(Progress)
	// Finished, if there is one, is called after each epoch.
	Finished func(e Epoch, epochs int)

	until int // the step after which a run that is watched again ends; 0 is its own end
}

// Progress is where a run stands. Loss and Accuracy are those of the epoch so
// far, on the training set.
type Progress struct {
	Epoch, Epochs  int // counted from 1
	Step, Steps    int // of the epoch
	Images         int // of the epoch so far
	Loss, Accuracy float64
}

// Epoch is one line of a history.
type Epoch struct {
	Epoch           int     `json:"epoch"` // counted from 1
	Loss            float64 `json:"loss"`  // mean training loss
	TrainAccuracy   float64 `json:"train_accuracy"`
	TestLoss        float64 `json:"test_loss"` // of the validation set; 0 without one, as is the accuracy
	TestAccuracy    float64 `json:"test_accuracy"`
	Seconds         float64 `json:"seconds"` // of training, without the evaluation
	ImagesPerSecond float64 `json:"images_per_second"`
	Skipped         int     `json:"skipped,omitempty"` // steps of the run so far that changed nothing (see LossScale)
}

// History is what a run measured, epoch by epoch.
type History []Epoch

// ErrInterrupted says that the context was cancelled after the run began; where
// the loop has a checkpoint it was written, and Resume goes on from it.
var ErrInterrupted = errors.New("training interrupted")

// ErrDiverged says that the loss or a weight is no finite number any more. No
// checkpoint was written since. The error is a NotFinite, which says where.
var ErrDiverged = errors.New("training diverged; a lower learning rate may help")

// run is a loop in progress.
type run struct {
	*Loop
	dev     *compute.Device
	state   *State
	clock   *compute.Param
	sums    *metrics
	scaler  *scaler // nil without Storage F16
	watch   *watch  // nil without Watch
	program *compute.Program
	steps   int // of an epoch
	step    int // of the whole run
	history History
	spent   float64 // seconds of the current epoch so far
	saved   time.Time
	set     data.Dataset
	spec    data.Spec
	data    string // SHA-256 of the set
}

// Run trains until the last epoch or until the context is cancelled; then the
// error wraps ErrInterrupted. After each epoch it evaluates the model on the
// validation set, unless that is nil. Errors of a set, a checkpoint or a device come
// before the first step where they can.
func (l *Loop) Run(ctx context.Context, dev *compute.Device, trainSet, validationSet data.Dataset) (History, error) {
	history, err := l.run(ctx, dev, trainSet, validationSet)
	if errors.Is(err, ErrDiverged) {
		err = l.diagnose(ctx, dev, trainSet, validationSet, err)
	}
	return history, err
}

func (l *Loop) run(ctx context.Context, dev *compute.Device, trainSet, validationSet data.Dataset) (History, error) {
	r, err := l.prepare(dev, trainSet)
	if err != nil {
		return nil, err
	}
	if validationSet != nil {
		if err := r.spec.Fits(validationSet.Spec()); err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
	}
	sum := make(chan error, 1) // of the set, taken while the step is compiled
	go func() {
		var err error
		r.data, err = fingerprint(trainSet)
		sum <- err
	}()
	release, err := r.compile() // first, so that parameters lie as the optimizer wants them, and are there to be cast
	if sumErr := <-sum; err == nil && sumErr != nil {
		release()
		err = sumErr
	}
	if err != nil {
		return nil, err
	}
	defer release()
	var tested *Evaluator
	if validationSet != nil {
		if tested, err = NewEvaluator(dev, l.Model, l.Loss, validationSet, l.Storage); err != nil {
			return nil, err
		}
		defer tested.Close()
	}
	if l.Resume {
		if err := r.restore(); err != nil {
			return nil, err
		}
	} else if err := r.begin(ctx); err != nil {
		return nil, err
	}
	for r.step < r.steps*l.Epochs || len(r.history) < r.step/r.steps {
		if err := r.epoch(ctx, tested); err != nil {
			return r.history, err
		}
	}
	if err := dev.Download(context.WithoutCancel(ctx), r.params()...); err != nil {
		return r.history, err
	}
	return r.history, r.check(r.arrays())
}

func (l *Loop) prepare(dev *compute.Device, set data.Dataset) (*run, error) {
	if l.Batch == 0 {
		l.Batch = 128
	}
	if l.Epochs == 0 {
		l.Epochs = 3
	}
	if l.Interval == 0 {
		l.Interval = 10 * time.Second
	}
	rate := l.Optimizer.LearningRate()
	switch {
	case l.Batch < 1 || l.Batch > set.Len():
		return nil, fmt.Errorf("train: batch of %d examples, want 1 to %d, the size of the set %s", l.Batch, set.Len(), set.Spec().Name)
	case l.Epochs < 1:
		return nil, fmt.Errorf("train: %d epochs, want 1 or more", l.Epochs)
	case math.IsNaN(rate) || math.IsInf(rate, 0) || rate <= 0:
		return nil, fmt.Errorf("train: learning rate %v, want a positive number", rate)
	}
	if err := set.Spec().Check(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	r := &run{Loop: l, dev: dev, sums: newMetrics(), steps: set.Len() / l.Batch, saved: time.Now(), set: set, spec: set.Spec()}
	r.clock = compute.NewParamU32("train.clock", 2)
	r.clock.Ints[1] = l.Seed
	r.state = &State{Rate: compute.NewParam("train.rate", 1)}
	r.state.Rate.Frozen = true // of which there is no f16 copy
	r.state.Rate.Data[0] = float32(rate)
	for name, p := range layers.Params(l.Model) {
		if !p.Frozen {
			r.state.Names, r.state.Params = append(r.state.Names, name), append(r.state.Params, p)
		}
	}
	if l.Storage == compute.F16 {
		var err error
		if r.scaler, err = newScaler(l.LossScale); err != nil {
			return nil, err
		}
	}
	if l.Watch {
		r.watch = newWatch(l.Model)
	}
	return r, dev.Upload(r.params()...)
}

// Inspect compiles one training step on the set, as Run does, for visit to look at.
func (l *Loop) Inspect(dev *compute.Device, trainSet data.Dataset, visit func(step *compute.Program) error) error {
	r, err := l.prepare(dev, trainSet)
	if err != nil {
		return err
	}
	release, err := r.compile()
	if err != nil {
		return err
	}
	defer release()
	return visit(r.program)
}

// Record records one training step on the set, as Run compiles it. It sets the
// tape's Training, Clock and Storage.
func (l *Loop) Record(t *compute.Tape, trainSet data.Dataset) error {
	r, err := l.prepare(t.Device(), trainSet)
	if err != nil {
		return err
	}
	set, err := newResident(trainSet)
	if err != nil {
		return err
	}
	return r.record(t, set)
}

func (r *run) record(t *compute.Tape, set *resident) error {
	t.Training, t.Clock, t.Storage = true, r.clock, r.Storage
	r.watch.begin(t)
	x, y := set.record(t, r.clock, 0, r.Batch, r.steps, true)
	r.watch.forward(r.Model, y)
	logits := r.Model.Forward(t, x)
	if err := tells(logits, r.Batch, r.spec); err != nil {
		return err
	}
	r.watch.loss()
	loss := r.Loss.Loss(t, logits, y)
	r.sums.record(t, loss, logits, y)
	r.watch.backward(r.state, r.scaler)
	if r.scaler != nil {
		r.scaler.backward(t, loss)
	} else {
		t.Backward(loss)
	}
	if r.Schedule != nil {
		r.Schedule.Rate(t, t.Param(r.clock), t.Master(r.state.Rate), r.Optimizer.LearningRate(), r.steps*r.Epochs)
	}
	r.watch.update()
	if r.scaler != nil {
		if err := r.scaler.update(t, r.Optimizer, r.state); err != nil {
			return err
		}
	} else {
		r.Optimizer.Update(t, r.state)
	}
	clockTick.Run(clockParams{1}, t.Param(r.clock))
	r.watch.end()
	return nil
}

// compile compiles the step, without the named passes. The caller calls release, which frees what the run
// holds on the device but for the model.
func (r *run) compile(without ...compute.Pass) (release func(), err error) {
	set, err := newResident(r.set)
	if err != nil {
		return nil, err
	}
	t := compute.NewTape(r.dev)
	if err := r.record(t, set); err != nil {
		return nil, err
	}
	forget := func() {
		r.dev.Forget(append(set.arrays(), r.clock, r.sums.counts, r.sums.total, r.state.Rate)...)
		r.dev.Forget(append(r.state.Slots(), r.scaler.arrays()...)...)
		r.dev.Forget(r.watch.arrays()...)
	}
	if r.program, err = t.Compile(without...); err != nil {
		forget()
		return nil, err
	}
	return func() { r.program.Close(); forget() }, nil
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

// epoch trains from the current step to the end of its epoch, and evaluates the model
// where tested is not nil.
func (r *run) epoch(ctx context.Context, tested *Evaluator) error {
	if r.step%r.steps == 0 && r.step/r.steps == len(r.history) {
		if err := r.sums.reset(r.dev); err != nil {
			return err
		}
		r.spent = 0
	}
	number := len(r.history) + 1
	start, told := time.Now(), time.Now()
	clock := func() {
		r.spent += time.Since(start).Seconds()
		start = time.Now()
	}
	for r.step < number*r.steps {
		if ctx.Err() != nil {
			clock()
			return r.interrupt(ctx)
		}
		if err := r.program.Run(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("train: step %d: %w", r.step, err)
		}
		r.step++
		if err := r.watch.read(ctx, r.dev, r.step); err != nil {
			return err
		}
		if r.step == r.until {
			return errNothingFound
		}
		if r.Progress != nil && time.Since(told) > 200*time.Millisecond {
			if err := r.tell(ctx, number); err != nil {
				return err
			}
			told = time.Now()
		}
		if r.Checkpoint != "" && time.Since(r.saved) > r.Interval && r.step < number*r.steps {
			clock()
			if err := r.save(ctx); err != nil {
				return err
			}
			start = time.Now()
		}
	}
	loss, accuracy, rows, err := r.sums.read(context.WithoutCancel(ctx), r.dev)
	if err != nil {
		return err
	}
	clock()
	e := Epoch{Epoch: number, Loss: loss, TrainAccuracy: accuracy, Seconds: max(r.spent, 1e-9)}
	e.ImagesPerSecond = float64(rows) / e.Seconds
	if r.scaler != nil {
		if err := r.dev.Download(context.WithoutCancel(ctx), r.scaler.counts); err != nil {
			return err
		}
		e.Skipped = int(r.scaler.counts.Ints[1])
	}
	if tested != nil {
		if e.TestLoss, e.TestAccuracy, err = tested.Run(ctx); err != nil {
			if ctx.Err() != nil {
				return r.interrupt(ctx)
			}
			return err
		}
	}
	if !finite(e.Loss) {
		return &NotFinite{Step: r.step, What: fmt.Sprintf("mean loss of epoch %d", number)}
	}
	if !finite(e.TestLoss) {
		return &NotFinite{Step: r.step, What: "loss of the test set"}
	}
	r.history = append(r.history, e)
	r.spent = 0
	if err := r.save(ctx); err != nil {
		return err
	}
	if r.Finished != nil {
		r.Finished(e, r.Epochs)
	}
	return nil
}

func (r *run) tell(ctx context.Context, number int) error {
	loss, accuracy, rows, err := r.sums.read(context.WithoutCancel(ctx), r.dev)
	if err != nil {
		return err
	}
	if !finite(loss) {
		return &NotFinite{Step: r.step, What: fmt.Sprintf("mean loss of epoch %d", number)}
	}
	r.Progress(Progress{
		Epoch: number, Epochs: r.Epochs, Step: r.step - (number-1)*r.steps, Steps: r.steps,
		Images: rows, Loss: loss, Accuracy: accuracy,
	})
	return nil
}

func (r *run) interrupt(ctx context.Context) error {
	if err := r.save(ctx); err != nil {
		return fmt.Errorf("stopped after %d of %d steps, which could not be saved: %w", r.step, r.steps*r.Epochs, err)
	}
	return fmt.Errorf("%w after %d of %d steps: %w", ErrInterrupted, r.step, r.steps*r.Epochs, context.Cause(ctx))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// params are the arrays of the model, trained or not.
func (r *run) params() (all []*compute.Param) {
	for _, p := range layers.Params(r.Model) {
		all = append(all, p)
	}
	return all
}

// Slots are the arrays of the optimizer's own, in the order of their making.
func (s *State) Slots() (all []*compute.Param) {
	for _, name := range s.order {
		all = append(all, s.extra[name])
	}
	return all
}
