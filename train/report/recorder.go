package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
)

// Recorder keeps a run folder while a loop trains: [Folder] says what is in it. It is
// a callback of the loop:
//
//	recorder := &report.Recorder{Dir: dir, Config: config}
//	loop.Callbacks = append(loop.Callbacks, recorder.Callback())
//
// What it writes costs nothing in a step. After each epoch it reads the weights from
// the device and runs one batch for their gradients.
type Recorder struct {
	Dir    string // must exist
	Config Config
	// Plain leaves out the histograms of weights and gradients.
	Plain bool

	folder    *Folder
	gradients *Gradients
}

// Callback is what the loop calls.
func (r *Recorder) Callback() train.Callback {
	return train.Callback{BeforeFit: r.begin, AfterEpoch: r.epoch, AfterFit: r.end}
}

func (r *Recorder) begin(f *train.Fit) (err error) {
	r.folder, err = Begin(r.Dir, r.Config, f.Loop.Resume, f.History, f.Steps)
	return err
}

func (r *Recorder) epoch(f *train.Fit) error {
	e := f.History[len(f.History)-1]
	if !r.Plain {
		if err := r.histograms(f, e.Epoch*f.Steps); err != nil {
			return fmt.Errorf("report: epoch %d: %w", e.Epoch, err)
		}
	}
	return r.folder.Epoch(e)
}

func (r *Recorder) histograms(f *train.Fit, step int) (err error) {
	ctx := context.Background()
	if r.gradients == nil {
		if r.gradients, err = NewGradients(f.Device, f.Loop.Model, f.Loop.Loss, f.Train, f.Loop.Batch); err != nil {
			return err
		}
	}
	err = r.gradients.Each(ctx, func(name string, _ []int, dw []float32) error {
		return r.folder.events.Histogram("gradients/"+name, step, dw)
	})
	if err != nil {
		return err
	}
	if err := download(ctx, f.Device, f.Loop.Model); err != nil {
		return err
	}
	for name, p := range layers.Params(f.Loop.Model) {
		if err := r.folder.events.Histogram("weights/"+name, step, p.Data); err != nil {
			return err
		}
	}
	if first := FirstFilters(f.Loop.Model, f.Train.Spec()); first != nil {
		return r.folder.events.Image("filters/"+first.Layer, step, first.Picture.Scaled(eventPixels))
	}
	return nil
}

// eventPixels is the least width of pictures in event files.
const eventPixels = 400

// end frees what the recorder holds. The event file is open until Close.
func (r *Recorder) end(*train.Fit) error {
	if r.gradients == nil {
		return nil
	}
	err := r.gradients.Close()
	r.gradients = nil
	return err
}

// Write writes the page of what was found in the trained model, and its pictures as
// events.
func (r *Recorder) Write(title string, f *Findings) error {
	if r.folder == nil {
		return errors.New("report: Recorder: no run has begun")
	}
	step := len(r.folder.lines) * r.folder.steps
	var err error
	picture := func(tag string, p *Picture) {
		if p != nil && err == nil {
			err = r.folder.events.Image(tag, step, p.Scaled(eventPixels))
		}
	}
	if c := f.Chosen; c != nil {
		picture("activations/example", c.Picture)
		for _, s := range c.Steps {
			picture("activations/"+s.Layer, s.Picture)
		}
	}
	if f.Judgement != nil {
		for i, m := range f.Judgement.Mistakes[:min(8, len(f.Judgement.Mistakes))] {
			picture(fmt.Sprintf("mistakes/%d %s for %s", i+1, f.class(m.Told), f.class(m.Truth)), m.Picture)
		}
	}
	if err != nil {
		return err
	}
	return r.folder.WritePage(Report{Title: title, Config: r.folder.Config, History: r.folder.History(), Findings: f})
}

// Close ends the event file. It may be called twice, and before a run has begun.
func (r *Recorder) Close() error {
	err := r.end(nil)
	if r.folder != nil {
		err = errors.Join(err, r.folder.Close())
	}
	return err
}

// class is the name of a class.
func (f *Findings) class(i int) string {
	if i < len(f.Classes) {
		return f.Classes[i]
	}
	return fmt.Sprintf("output %d", i)
}

func download(ctx context.Context, dev *compute.Device, model layers.Layer) error {
	return dev.Download(ctx, paramsOf(model)...)
}

// paramsOf are the parameters of a model.
func paramsOf(model layers.Layer) (all []*compute.Param) {
	for _, p := range layers.Params(model) {
		all = append(all, p)
	}
	return all
}
