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
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// Loop trains a model on a data set, in device memory if it fits (see Budget): on classes, with logits
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
	Augment   *Augment // of the images of training batches; nil leaves them as they are
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

	// Accumulate is the number of batches whose gradients make one update, their mean;
	// default 1. The schedule counts updates, an epoch leaves out the last, incomplete one.
	Accumulate int
	Clip       Clip    // of gradients; the zero value does not
	Groups     []Group // of parameters with rates of their own, or frozen
	EMA        *EMA    // moving averages of the weights; nil keeps none
	TopK       int     // of the metric "top3", or of another number of classes; default 3

	// EarlyStopping ends the run before its last epoch; nil does not.
	EarlyStopping *EarlyStopping
	// Callbacks run at the beginning and the end of the run, of each epoch and each step.
	Callbacks []Callback
	SaveBest  *SaveBest  // a second checkpoint, of the best epoch; nil writes none
	SaveEvery *SaveEvery // and one for every so many epochs

	// Budget is how many bytes of device memory each of the sets may take; default
	// DefaultBudget. A larger set, or one that is beyond a limit of the device, is read
	// and uploaded while the device works, in the same order as from device memory: the
	// final weights are the same, bit for bit.
	Budget int64

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
	// kernels (see compute.Device.Tune); another device goes on as well, with its own
	// rounding. The training set, Seed, Batch, Accumulate, Loss, Optimizer, Groups, Clip,
	// Schedule, Augment, EMA, TopK, Storage, LossScale and Notes must be those of the run that
	// wrote it, and so must be, where EarlyStopping restores, that it does and what it
	// watches; with other Epochs, as many as are done or more, the schedule is that of the
	// new length from here on. The validation set must be the same where anything decides by
	// it, which is not checked.
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

	until    int  // the step after which a run that is watched again ends; 0 is its own end
	keepLoss bool // keep the loss of each batch, to be read back
}

// Progress is where a run stands. Loss and Accuracy are those of the epoch so
// far, on the training set.
type Progress struct {
	Epoch, Epochs  int // counted from 1
	Step, Steps    int // of the epoch
	Images         int // of the epoch so far
	Loss, Accuracy float64
}

// defaultBatch is the Batch of a loop that gives none.
const defaultBatch = 128

// ErrInterrupted says that the context was cancelled after the run began; where
// the loop has a checkpoint it was written, and Resume goes on from it. The model holds the
// weights of the last step, whatever EMA and EarlyStopping would make of them at the end.
var ErrInterrupted = errors.New("training interrupted")

// ErrDiverged says that the loss or a weight is no finite number any more. No
// checkpoint was written since. The error is a NotFinite, which says where.
var ErrDiverged = errors.New("training diverged; a lower learning rate may help")

// run is a loop in progress.
type run struct {
	*Loop
	dev      *compute.Device
	state    *State
	clock    *compute.Param
	updates  *compute.Param // the clock of updates, where a step is not one
	sums     *sums
	loss     *compute.Tensor  // of a batch, with keepLoss
	scaler   *scaler          // nil without Storage F16
	added    *accumulator     // nil where each step is an update
	averages *averages        // nil without EMA
	watch    *watch           // nil without Watch
	best     best             // nil without EarlyStopping.Restore
	groups   string           // see resolved
	program  *compute.Program // a step that ends with an update
	part     *compute.Program // one that does not, or nil
	tested   *Evaluator       // nil without a validation set
	steps    int              // of an epoch
	step     int              // of the whole run
	history  History
	spent    float64 // seconds of the current epoch so far
	saved    time.Time
	set      data.Dataset
	source   *source
	spec     data.Spec
	data     string // SHA-256 of the set
	fit      *Fit
	over     bool // no step will follow
}

// Run trains until the last epoch, until it is stopped (see EarlyStopping and Fit.Stop) or
// until the context is cancelled; then the error wraps ErrInterrupted. After each epoch it
// evaluates the model on the validation set, unless that is nil. Errors of a set, a
// setting, a checkpoint or a device come before the first step where they can.
func (l *Loop) Run(ctx context.Context, dev *compute.Device, trainSet, validationSet data.Dataset) (History, error) {
	history, err := l.run(ctx, dev, trainSet, validationSet)
	if errors.Is(err, ErrDiverged) {
		err = l.diagnose(ctx, dev, trainSet, validationSet, err)
	}
	return history, err
}

func (l *Loop) run(ctx context.Context, dev *compute.Device, trainSet, validationSet data.Dataset) (History, error) {
	if l.Resume && l.Checkpoint == "" {
		return nil, errors.New("train: Loop: Resume without a Checkpoint, want the file to go on from")
	}
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
	if err := r.watches(validationSet != nil); err != nil {
		return nil, err
	}
	if validationSet != nil {
		if r.tested, err = newEvaluator(dev, l.Model, l.Loss, validationSet, l.EvalBatch(), l.Storage, l.Budget, l.TopK); err != nil {
			return nil, err
		}
		defer r.tested.Close()
		if r.tested.set.stream != nil { // of which nothing was read yet
			if err := read(validationSet, func(int, *data.Batch) {}); err != nil {
				return nil, err
			}
		}
	}
	r.fit = &Fit{Loop: l, Device: dev, Train: trainSet, Validation: validationSet, Steps: r.steps, run: r}
	if l.Resume {
		if err := r.restore(); err != nil {
			return nil, err
		}
	} else if err := r.begin(ctx); err != nil {
		return nil, err
	}
	return r.train(ctx)
}

// prepare checks what the loop says, and makes what a run has on the host.
func (l *Loop) prepare(dev *compute.Device, set data.Dataset) (*run, error) {
	switch {
	case l.Model == nil:
		return nil, errors.New("train: Loop: Model is nil, want a layer")
	case l.Loss == nil:
		return nil, errors.New("train: Loop: Loss is nil, want one of package layers, say")
	case l.Optimizer == nil:
		return nil, errors.New("train: Loop: Optimizer is nil, want SGD, Adam, AdamW or RMSprop, say")
	case set == nil:
		return nil, errors.New("train: Loop: the training set is nil")
	}
	if l.Batch == 0 {
		l.Batch = defaultBatch
	}
	if l.Epochs == 0 {
		l.Epochs = 3
	}
	if l.Interval == 0 {
		l.Interval = 10 * time.Second
	}
	if l.Accumulate == 0 {
		l.Accumulate = 1
	}
	rate := l.Optimizer.LearningRate()
	switch {
	case l.Batch < 1 || l.Batch > set.Len():
		return nil, fmt.Errorf("train: batch of %d examples, want 1 to %d, the size of the set %s", l.Batch, set.Len(), set.Spec().Name)
	case l.Accumulate < 1 || l.Accumulate > set.Len()/l.Batch:
		return nil, fmt.Errorf("train: an update of %d batches of %d examples, want 1 to %d of the %d of %s", l.Accumulate, l.Batch, set.Len()/l.Batch, set.Len(), set.Spec().Name)
	case l.Epochs < 1:
		return nil, fmt.Errorf("train: %d epochs, want 1 or more", l.Epochs)
	case uint64(l.Epochs) > math.MaxUint32/uint64(set.Len()/l.Batch):
		return nil, fmt.Errorf("train: %d epochs of %d batches, want fewer than 2^32 steps", l.Epochs, set.Len()/l.Batch)
	case !positive(rate):
		return nil, fmt.Errorf("train: learning rate %v, want a positive number", rate)
	case l.TopK < 0:
		return nil, fmt.Errorf("train: TopK is %d, want 1 or more", l.TopK)
	}
	if err := set.Spec().Check(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := l.Augment.fits(l.Batch, set.Spec()); err != nil {
		return nil, err
	}
	r := &run{
		Loop: l, dev: dev, sums: newSums(l.TopK), steps: set.Len() / (l.Batch * l.Accumulate) * l.Accumulate, saved: time.Now(),
		set: set, spec: set.Spec(),
	}
	r.clock, r.updates = compute.NewParamU32("train.clock", 2), compute.NewParamU32("train.updates", 2)
	r.clock.Ints[1], r.updates.Ints[1] = l.Seed, l.Seed
	r.state = &State{Rate: compute.NewParam("train.rate", 1)}
	r.state.Rate.Frozen = true // of which there is no f16 copy
	r.state.Rate.Data[0] = float32(rate)
	if err := r.divide(); err != nil {
		return nil, err
	}
	if l.Storage == compute.F16 {
		var err error
		if r.scaler, err = newScaler(l.LossScale); err != nil {
			return nil, err
		}
	}
	if err := l.sound(r.total()); err != nil {
		return nil, err
	}
	if l.Watch {
		r.watch = newWatch(l.Model)
	}
	r.added, r.averages, r.best = newAccumulator(l.Accumulate, r.state), newAverages(l.EMA, r.state), newBest(l.EarlyStopping, l.Model)
	return r, dev.Upload(r.params()...)
}

// total is the number of updates of the run.
func (r *run) total() int { return r.steps * r.Epochs / r.Accumulate }

// divide takes the parameters that are trained, and their groups.
func (r *run) divide() error {
	var names []string
	seen := map[*compute.Param]string{}
	for name, p := range layers.Params(r.Model) {
		if p.Frozen {
			continue
		}
		if first, ok := seen[p]; ok { // shared: it is trained once
			if a, b := groupOf(r.Groups, first), groupOf(r.Groups, name); a != b {
				return fmt.Errorf("train: %s and %s are one parameter, which is in group %d and in group %d (-1 for none), want one", first, name, a, b)
			}
			continue
		}
		seen[p] = name
		names = append(names, name)
		if g := groupOf(r.Groups, name); g >= 0 && r.Groups[g].Frozen {
			continue
		}
		r.state.Names, r.state.Params = append(r.state.Names, name), append(r.state.Params, p)
	}
	if err := checkGroups(r.Groups, names); err != nil {
		return err
	}
	if len(names) > 0 && len(r.state.Names) == 0 {
		return fmt.Errorf("train: all parameters are frozen, want one to train")
	}
	r.groups, r.state.groups = resolved(r.Groups, names), newGroupRates(r.Groups, r.state)
	return nil
}

// sound returns an error where a setting is out of range for so many updates.
func (l *Loop) sound(updates int) error {
	if s, ok := l.Schedule.(interface{ Check(steps int) error }); ok {
		if err := s.Check(updates); err != nil {
			return err
		}
	}
	if o, ok := l.Optimizer.(interface{ Check() error }); ok {
		if err := o.Check(); err != nil {
			return err
		}
	}
	if l.EMA != nil {
		if err := l.EMA.check(); err != nil {
			return err
		}
	}
	return l.Clip.check()
}

// positive reports whether v is a positive number as the device has it: neither 0 nor
// infinite in float32.
func positive(v float64) bool { return v >= smallest && finite(float64(float32(v))) }

// watches returns an error where something watches what the run does not measure, or saves
// where it cannot.
func (r *run) watches(evaluated bool) error {
	names := r.sums.names()
	if s, ok := r.Schedule.(interface{ monitor() monitor }); ok {
		if err := s.monitor().measured(names, evaluated); err != nil {
			return err
		}
	}
	if r.EarlyStopping != nil {
		if err := r.EarlyStopping.check(names, evaluated); err != nil {
			return err
		}
	}
	if r.SaveBest != nil {
		if err := r.SaveBest.check(names, evaluated); err != nil {
			return err
		}
	}
	if r.SaveEvery != nil {
		if err := r.SaveEvery.check(); err != nil {
			return err
		}
	}
	return r.apart()
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// params are the arrays of the model, trained or not.
func (r *run) params() (all []*compute.Param) {
	for _, p := range layers.Params(r.Model) {
		all = append(all, p)
	}
	return all
}
