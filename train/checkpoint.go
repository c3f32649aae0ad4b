package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/safetensors"
)

// checkpointFormat names the layout of a checkpoint's metadata and tensors: the
// model's parameters under their own names, the optimizer's state under
// "optimizer.", the clock and the sums of the epoch under "train.", moving averages of the
// parameters under "ema." and those of the best epoch under "best.".
const checkpointFormat = "pumice.checkpoint.1"

// arrays are everything that a run must remember, by name.
func (r *run) arrays() map[string]*compute.Param {
	all := map[string]*compute.Param{"train.clock": r.clock, "train.rate": r.state.Rate}
	for name, p := range layers.Params(r.Model) {
		all[name] = p
	}
	for name, p := range r.state.extra {
		all["optimizer."+name] = p
	}
	if r.added != nil {
		all["train.updates"] = r.updates
	}
	for _, of := range [][]*compute.Param{r.sums.arrays(), r.scaler.arrays(), r.added.arrays(), r.averages.arrays()} {
		for _, p := range of {
			all[p.Name] = p
		}
	}
	for _, p := range r.best {
		all[p.Name] = p
	}
	return all
}

// begin writes the first checkpoint. An older file of that name is copied first,
// now that the run is known to start, unless no step was done in it: at any moment
// a checkpoint is there.
func (r *run) begin(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("train: stopped before the first step, nothing was written: %w", context.Cause(ctx))
	}
	if r.SaveEvery != nil {
		if err := r.SaveEvery.setAside(); err != nil {
			return err
		}
	}
	if r.Checkpoint != "" && r.Previous != "" && !untrained(r.Checkpoint) {
		err := safetensors.WriteDurable(r.Previous, func(w io.Writer) error {
			f, err := os.Open(r.Checkpoint)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(w, f)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("train: cannot keep the older checkpoint: %w", err)
		}
	}
	return r.save(ctx)
}

// untrained reports whether a file is the checkpoint that a run starts with.
func untrained(path string) bool {
	f, err := readCheckpoint(path)
	return err == nil && f.Metadata["step"] == "0"
}

// settings are the exported fields of v, and its type.
func settings(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		b = nil // a function among them, say
	}
	return fmt.Sprintf("%T%s", v, b)
}

// scaled are the settings of the loss scale, or "" without one.
func (r *run) scaled() string {
	if r.scaler == nil {
		return ""
	}
	return settings(LossScale{r.scaler.first, r.scaler.interval})
}

// rate is the learning rate that the run starts with.
func (r *run) rate() string {
	return strconv.FormatFloat(float64(float32(r.Optimizer.LearningRate())), 'g', -1, 32)
}

// settled are the settings that a run must keep when it is resumed, by name.
func (r *run) settled() map[string]string {
	all := map[string]string{
		"seed": strconv.FormatUint(uint64(r.Seed), 10), "batch": strconv.Itoa(r.Batch), "steps_per_epoch": strconv.Itoa(r.steps),
		"data_sha256": r.data, "learning_rate": r.rate(), "schedule": settings(r.Schedule), "optimizer": settings(r.Optimizer),
		"loss": settings(r.Loss), "groups": r.groups, "top_k": strconv.Itoa(r.sums.top),
		"loss_scale": r.scaled(), "augment": r.Augment.notes(), "accumulate": "", "clip": "", "ema": "", "best_weights": "",
	}
	if r.added != nil {
		all["accumulate"] = strconv.Itoa(r.Accumulate)
	}
	if r.Clip != (Clip{}) {
		all["clip"] = settings(r.Clip)
	}
	if r.EMA != nil {
		all["ema"] = settings(*r.EMA)
	}
	if r.best != nil {
		m := r.EarlyStopping.monitor()
		all["best_weights"] = fmt.Sprintf("%s, least %v, delta %v", m.name, m.least(), m.delta)
	}
	return all
}

// save writes the checkpoint, if the loop has one, whether or not the context is
// cancelled.
func (r *run) save(ctx context.Context) error {
	if r.Checkpoint == "" {
		return nil
	}
	f, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	return r.write(r.Checkpoint, f)
}

func (r *run) write(path string, f *safetensors.File) error {
	if err := safetensors.WriteFile(path, f); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	if path == r.Checkpoint {
		r.saved = time.Now()
	}
	return nil
}

// snapshot is everything that the run must remember. It is an error where a number is not
// finite.
func (r *run) snapshot(ctx context.Context) (*safetensors.File, error) {
	all := r.arrays()
	list := make([]*compute.Param, 0, len(all))
	for _, p := range all {
		list = append(list, p)
	}
	if err := r.dev.Download(context.WithoutCancel(ctx), list...); err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	if err := r.check(all); err != nil {
		return nil, err
	}
	told := slices.Clone(r.history)
	for i := range max(len(told)-1, 0) {
		told[i].Confusion = nil
	}
	history, err := json.Marshal(told)
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	f := &safetensors.File{Tensors: map[string]safetensors.Tensor{}, Metadata: map[string]string{
		"format": checkpointFormat, "step": strconv.Itoa(r.step),
		"epoch_seconds": strconv.FormatFloat(r.spent, 'g', -1, 64), "history": string(history), "source": r.Source,
	}}
	for name, v := range r.settled() {
		if v != "" {
			f.Metadata[name] = v
		}
	}
	// what LoadModel takes for the weights, where there are such
	if r.over && r.best != nil && len(r.history) > 0 {
		f.Metadata["weights"] = "best."
	} else if r.EMA != nil && r.EMA.Use {
		f.Metadata["weights"] = "ema."
	}
	for k, v := range r.Notes {
		f.Metadata["note."+k] = v
	}
	for name, p := range all {
		if p.Ints != nil {
			f.Tensors[name] = safetensors.FromUint32(p.Shape, p.Ints)
		} else {
			f.Tensors[name] = safetensors.FromFloat32(p.Shape, p.Data)
		}
	}
	f.Seal()
	return f, nil
}

// check returns an error where one of the host's arrays holds a number that is not
// finite: of the first by name. Sums of gradients of a scaled loss may, until their update
// is skipped.
func (r *run) check(all map[string]*compute.Param) error {
	if err := r.scaler.check(r.step); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if r.scaler != nil && strings.HasPrefix(name, gradientSum) {
			continue
		}
		for i, v := range all[name].Data {
			if !finite(float64(v)) {
				return &NotFinite{Step: r.step, What: fmt.Sprintf("%s[%d]", name, i)}
			}
		}
	}
	return nil
}

// restore takes everything from the checkpoint, or nothing.
func (r *run) restore() error {
	f, err := readCheckpoint(r.Checkpoint)
	if err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("train: checkpoint %s: %s", r.Checkpoint, fmt.Sprintf(format, args...))
	}
	if got := f.Metadata["loss_scale"] != ""; got != (r.scaler != nil) {
		was := map[bool]compute.DType{true: compute.F16}[got]
		return fail("it was trained with Storage %v, this run's is %v", was, r.Storage)
	}
	wanted := r.settled()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		got, want := f.Metadata[name], wanted[name]
		if name == "best_weights" && got == "kept" && want != "" {
			continue // of a version that did not say by what
		}
		if got != want {
			return fail("%s is %s, this run's is %s", strings.ReplaceAll(name, "_", " "), nameOr(got, "not set"), nameOr(want, "not set"))
		}
	}
	notes := notesOf(f)
	for _, k := range slices.Sorted(maps.Keys(r.Notes)) {
		if got := notes[k]; got != r.Notes[k] {
			return fail("%s is %q, this run's is %q", k, got, r.Notes[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(notes)) {
		if _, ok := r.Notes[k]; !ok {
			return fail("%s is %q, this run has no such note", k, notes[k])
		}
	}
	var history History
	if err := json.Unmarshal([]byte(f.Metadata["history"]), &history); err != nil {
		return fail("history: %v", err)
	}
	step, err := strconv.Atoi(f.Metadata["step"])
	if err != nil || step < 0 || len(history) > step/r.steps {
		return fail("step %q after %d epochs of %d steps", f.Metadata["step"], len(history), r.steps)
	}
	if step > r.steps*r.Epochs {
		return fail("%d steps are done, this run has %d, in %d epochs", step, r.steps*r.Epochs, r.Epochs)
	}
	spent, err := strconv.ParseFloat(f.Metadata["epoch_seconds"], 64)
	if err != nil {
		return fail("epoch seconds: %v", err)
	}
	if err := setArrays(r.Checkpoint, f, r.arrays(), true); err != nil {
		return err
	}
	r.step, r.history, r.spent = step, history, spent
	all := r.arrays()
	for _, p := range all {
		if err := r.dev.Upload(p); err != nil {
			return err
		}
	}
	return nil
}
