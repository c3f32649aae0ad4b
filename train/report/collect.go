package report

import (
	"context"
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/bench"
	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// Options say what Collect looks at; the zero value is what the demo uses.
type Options struct {
	// Examples is how many of the test set are looked at, from the first on;
	// default 10,000.
	Examples int
	// Mistakes is how many of the worst are kept; default 24.
	Mistakes int
	// Chosen is the example of the test set that is followed through the layers,
	// counted from 1; 0 is the worst mistake, or the first example where there is none.
	Chosen int
	// Bins are those of the histograms; default 40.
	Bins int
}

func (o *Options) defaults() {
	for _, d := range []struct {
		to    *int
		value int
	}{{&o.Examples, 10000}, {&o.Mistakes, 24}, {&o.Bins, 40}} {
		if *d.to == 0 {
			*d.to = d.value
		}
	}
}

// Findings are what a trained model shows, by parts; a part that there is nothing of
// is empty, and Missing says why.
type Findings struct {
	Classes   []string
	Judgement *Judgement // of the test set
	Chosen    *Chosen
	Filters   *Filters
	Weights   []Spread // of every parameter that is not marked Frozen, in a frozen group or not
	Gradients []Spread // of the mean loss of GradientExamples of the training set
	Kernels   []bench.KernelTime
	Clock     string // that Kernels were measured with
	Summary   []layers.SummaryRow
	// GradientExamples is the number of examples behind Gradients.
	GradientExamples int
	// Missing has a sentence for each part, by its name, that is left out.
	Missing map[string]string
}

// The parts that Missing names.
const (
	PartConfusion   = "confusion"
	PartMistakes    = "mistakes"
	PartActivations = "activations"
	PartFilters     = "filters"
	PartGradients   = "gradients"
	PartKernels     = "kernels"
)

// Spread is how the numbers of a parameter, or of its gradient, are spread.
type Spread struct {
	Name  string
	Shape []int
	Histogram
}

// Collect looks at the model of a loop on the device that it was trained on. Without a
// test set (nil) it follows an example of the training set, and judges nothing. The
// model and its parameters on the device are those of before when it returns, also
// after an error; no other work may use them meanwhile.
func Collect(ctx context.Context, dev *compute.Device, loop *train.Loop, trainSet, testSet data.Dataset, o Options) (*Findings, error) {
	o.defaults()
	from := trainSet
	if testSet != nil {
		from = testSet
	}
	if o.Examples < 1 || o.Mistakes < 1 || o.Bins < 1 || o.Chosen < 0 || o.Chosen > from.Len() {
		return nil, fmt.Errorf("report: Collect: options %+v, want positive numbers, and an example of the %d in %s", o, from.Len(), from.Spec().Name)
	}
	if loop.Batch < 1 {
		return nil, fmt.Errorf("report: Collect: the loop has a batch of %d examples, want 1 or more: Run fills in its default", loop.Batch)
	}
	if err := download(ctx, dev, loop.Model); err != nil {
		return nil, fmt.Errorf("report: Collect: %w", err)
	}
	f := &Findings{Missing: map[string]string{}, Classes: trainSet.Spec().Classes}
	for name, p := range layers.Params(loop.Model) {
		if !p.Frozen {
			f.Weights = append(f.Weights, Spread{name, slices.Clone(p.Shape), NewHistogram(p.Data, o.Bins)})
		}
	}
	for _, part := range []func(context.Context, *compute.Device, *train.Loop, data.Dataset, data.Dataset, Options) error{
		f.judge, f.look, f.summary, f.descend, f.time,
	} {
		if err := part(ctx, dev, loop, trainSet, testSet, o); err != nil {
			return nil, fmt.Errorf("report: Collect: %w", err)
		}
	}
	f.Filters = FirstFilters(loop.Model, trainSet.Spec())
	if f.Filters == nil {
		f.Missing[PartFilters] = "The model does not begin with a convolution, nor with a linear layer over images: its first weights are no pictures."
	}
	return f, nil
}
