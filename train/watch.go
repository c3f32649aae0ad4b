package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// NotFinite is the error of a run in which a number became infinite or NaN. It wraps
// ErrDiverged. With Loop.Watch it says where that happened first, in the order in which
// a step computes: the inputs, the weights, what layers and the loss make of them, the
// gradients, and the update.
type NotFinite struct {
	Step  int    // of the whole run, counted from 1; 0 is before the first
	Layer string // position and name as layers.Summary has them: "3 Linear(512, 10)", "2 Residual/body/0 ReLU"; "" outside the model
	What  string // "input", "target", "parameter 3.weight", "output", "loss", "gradient of 3.weight", "gradient", "update of 3.weight" ...
	From  string // the kernel and the array of its shader: "linear.forward y"; "" of what no kernel of the step wrote
}

func (e *NotFinite) Error() string {
	text := fmt.Sprintf("train: step %d: ", e.Step)
	if e.Layer != "" {
		text += "layer " + e.Layer + ": "
	}
	text += e.What + " is infinite or NaN"
	if e.From != "" {
		text += " (" + e.From + ")"
	}
	return text + ": " + ErrDiverged.Error()
}

// Unwrap returns ErrDiverged.
func (e *NotFinite) Unwrap() error { return ErrDiverged }

// unseen is what the device holds where no number was found: after every place.
const unseen = math.MaxUint32

// watch follows what a tape records and has the device look at every array of numbers
// that a step computes, after the last run that writes it and before the first that
// reads it. The device keeps the first place, in the order of the recording, at which
// it found a number that is not finite. The methods of a nil watch do nothing.
type watch struct {
	found   *compute.Param // (1): the first place, or unseen
	scaled  *compute.Param // likewise, of gradients of a scaled loss since the last update
	into    *compute.Param // the one that what is written now is noted in
	places  []NotFinite    // without their steps
	pending []pending      // written and not looked at
	params  map[*compute.Param]string
	at      map[*compute.Param]int // places of the parameters before the step
	grads   []named
	tape    *compute.Tape
	phase   string
}

// pending is an array that was written at a place, which is to be noted in found or scaled.
type pending struct {
	x     *compute.Tensor
	place int
	into  *compute.Param
}

type named struct {
	name string
	x    *compute.Tensor
}

// The phases of a step, as NotFinite calls what is written in them.
const (
	inputs    = "input"
	outputs   = "output"
	losses    = "loss"
	gradients = "gradient"
	updates   = "update"
	unscaling = "" // in which nothing is looked at
)

func newWatch(model layers.Layer) *watch {
	w := &watch{
		found: compute.NewParamU32("train.found", 1), scaled: compute.NewParamU32("train.found_scaled", 1),
		params: map[*compute.Param]string{}, at: map[*compute.Param]int{},
	}
	w.found.Ints[0], w.scaled.Ints[0] = unseen, unseen
	for name, p := range layers.Params(model) {
		if w.params[p] == "" {
			w.params[p] = name
		}
	}
	return w
}

// arrays are what the device holds for the watch.
func (w *watch) arrays() []*compute.Param {
	if w == nil {
		return nil
	}
	return []*compute.Param{w.found, w.scaled}
}

// begin follows the tape from the run that loads the inputs on.
func (w *watch) begin(t *compute.Tape) {
	if w != nil {
		w.tape, w.phase, w.into = t, inputs, w.found
		w.at, w.grads, w.pending = map[*compute.Param]int{}, nil, nil // of another tape of the run, perhaps
		(*ir.Tape)(t).Observe(w.observe)
	}
}

// forward looks at the parameters, and says that the model comes next. What was written
// to y are targets.
func (w *watch) forward(model layers.Layer, y *compute.Tensor) {
	if w == nil {
		return
	}
	for _, p := range w.pending {
		if p.x.Same(y) {
			w.places[p.place].What = "target"
		}
	}
	w.phase = outputs
	for _, p := range layers.Params(model) {
		if _, ok := w.at[p]; !ok && p.DType() == compute.F32 {
			w.at[p] = w.add(NotFinite{What: "parameter " + w.params[p]})
			w.look(w.tape.Master(p), w.at[p], w.found)
		}
	}
}

// loss says that the loss comes next.
func (w *watch) loss() {
	if w != nil {
		w.phase = losses
	}
}

// backward says that the gradients come next. Those of a scaled loss may be infinite, and
// are noted apart (see LossScale).
func (w *watch) backward(s *State, scale *scaler) {
	if w == nil {
		return
	}
	w.flush(func(x *compute.Tensor) bool { return x.Param() != nil })
	if w.phase = gradients; scale != nil {
		w.into = w.scaled
	}
	for i, p := range s.Params {
		w.grads = append(w.grads, named{s.Names[i], w.tape.Grad(w.tape.Param(p))})
	}
}

// gradients looks at the gradients of the parameters, and at nothing before the update.
func (w *watch) gradients() {
	if w == nil {
		return
	}
	w.flush(func(x *compute.Tensor) bool { return w.gradient(x) != "" })
	w.phase, w.pending, w.into = unscaling, nil, w.found
}

// update says that the update comes next.
func (w *watch) update() {
	if w != nil {
		w.phase = updates
	}
}

// end looks at what the update wrote, and at everything else that outlives the step.
func (w *watch) end() {
	if w != nil {
		w.flush(func(x *compute.Tensor) bool { return x.Param() != nil })
		(*ir.Tape)(w.tape).Observe(nil)
	}
}

// gradient is the name of the parameter that x is the gradient of, or "".
func (w *watch) gradient(x *compute.Tensor) string {
	for _, g := range w.grads {
		if g.x.Same(x) {
			return g.name
		}
	}
	return ""
}

// observe is called before each run is recorded: it looks at what the run reads, and
// keeps in mind what it writes. A run that writes without adding may write a part of
// what is not all there yet.
func (w *watch) observe(d *ir.Dispatch) {
	if w.phase == unscaling {
		return
	}
	adds := slices.Contains(d.Kernel.Entry().Consts, "accumulate")
	bindings := d.Kernel.Bindings()
	for i, z := range d.Tensors {
		x := (*compute.Tensor)(z)
		if at, ok := w.at[x.Param()]; ok && w.places[at].Layer == "" {
			w.places[at].Layer = d.Part()
		}
		if bindings[i].Access == "read" || adds {
			w.flush(x.Same)
		}
	}
	for i, z := range d.Tensors {
		x := (*compute.Tensor)(z)
		if bindings[i].Access == "read" || x.DType() == compute.U32 {
			continue
		}
		w.pending = slices.DeleteFunc(w.pending, func(p pending) bool { return p.x.Same(x) })
		w.pending = append(w.pending, pending{x, w.add(w.place(d, x, bindings[i].Name)), w.into})
	}
}

// place names an array that a run writes.
func (w *watch) place(d *ir.Dispatch, x *compute.Tensor, binding string) NotFinite {
	e := NotFinite{Layer: d.Part(), What: w.phase, From: d.Kernel.Name() + " " + binding}
	name := w.params[x.Param()]
	switch {
	case name != "" && w.phase == updates:
		e.What = "update of " + name
	case name != "":
		e.What = "parameter " + name
	case w.phase == gradients && w.gradient(x) != "": // an array that outlives the step, perhaps
		e.What = "gradient of " + w.gradient(x)
	case x.Param() != nil:
		e.What = x.Param().Name
	case w.phase == gradients && e.Layer == "":
		e.What = "gradient of the loss"
	}
	if e.Layer == "" && w.phase == outputs {
		e.Layer = "model"
	}
	return e
}

// add numbers a place.
func (w *watch) add(e NotFinite) int {
	w.places = append(w.places, e)
	return len(w.places) - 1
}

// flush looks at those that were written and not looked at yet.
func (w *watch) flush(which func(x *compute.Tensor) bool) {
	w.pending = slices.DeleteFunc(w.pending, func(p pending) bool {
		if !which(p.x) {
			return false
		}
		w.look(p.x, p.place, p.into)
		return true
	})
}

// look records a look at x, unnoticed.
func (w *watch) look(x *compute.Tensor, place int, into *compute.Param) {
	tape := (*ir.Tape)(w.tape)
	before := tape.Observe(nil)
	defer func() { tape.Observe(before) }()
	watchLook.Run(watchParams{uint32(x.Len()), uint32(place)}, x, w.tape.Param(into))
}

// read waits for the steps so far, the last of which is given and made an update or not,
// and returns an error where a number was found: of a scaled loss, where its scale is 1.
func (w *watch) read(ctx context.Context, dev *compute.Device, step int, scale *scaler, updated bool) error {
	if w == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if err := dev.Download(ctx, w.found); err != nil {
		return err
	}
	at := w.found.Ints[0]
	if at == unseen && scale != nil && updated {
		if err := dev.Download(ctx, w.scaled, scale.counts); err != nil {
			return err
		}
		if at = w.scaled.Ints[0]; at != unseen && !scale.failed() {
			at, w.scaled.Ints[0] = unseen, unseen
			if err := dev.Upload(w.scaled); err != nil {
				return err
			}
		}
	}
	if at != unseen {
		e := w.places[at]
		e.Step = step
		return &e
	}
	return scale.check(step)
}

type watchParams struct{ N, Place uint32 }

var watchLook = compute.NewKernel("watch.look", func(p watchParams, b [][]float64) {
	x, found := b[0], b[1]
	for _, v := range x {
		if !finite(float64(float32(v))) {
			found[0] = min(found[0], float64(p.Place))
		}
	}
}, compute.Exact)

// errNothingFound ends a run that is watched again, at the step that is known to be bad.
var errNothingFound = errors.New("train: nothing that is not finite was found")

// diagnose returns the error that says where a run diverged, if it can: it does the steps
// since the checkpoint again, watched. Where it finds nothing, the error is the cause.
func (l *Loop) diagnose(ctx context.Context, dev *compute.Device, trainSet, testSet data.Dataset, cause error) error {
	var seen *NotFinite
	if !errors.As(cause, &seen) || l.Watch || l.Checkpoint == "" || seen.Step == 0 {
		return cause
	}
	again := *l
	again.Watch, again.Resume, again.until = true, true, seen.Step
	again.Progress, again.Finished, again.Interval = nil, nil, math.MaxInt64
	again.Callbacks, again.SaveBest, again.SaveEvery = nil, nil, nil
	_, err := again.run(ctx, dev, trainSet, testSet)
	if found := (*NotFinite)(nil); errors.As(err, &found) {
		return found
	}
	return cause
}
