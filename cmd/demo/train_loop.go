package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// recipeFlags say how gradients become weights.
type recipeFlags struct {
	schedule            string
	warmUp, accumulate  int
	clipNorm, clipValue float64
	ema, smoothing      float64
	freeze, monitor     string
}

func (o *recipeFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&o.schedule, "schedule", "linear", "learning rate: linear (to 0 after the last epoch), constant, step, exponential, cosine, onecycle, plateau or polynomial")
	f.IntVar(&o.warmUp, "warmup", 0, "updates in which the learning rate rises first; not of step, onecycle and plateau")
	f.IntVar(&o.accumulate, "accumulate", 1, "batches whose gradients make one update")
	f.Float64Var(&o.clipNorm, "clip-norm", 0, "largest norm of all gradients together; 0 is any")
	f.Float64Var(&o.clipValue, "clip-value", 0, "largest element of gradients; 0 is any")
	f.Float64Var(&o.ema, "ema", 0, "decay of a moving average of the weights, such as 0.999, that is measured and saved in their place; 0 is none")
	f.Float64Var(&o.smoothing, "label-smoothing", 0, "part of each label that is spread over all classes, 0 to 1")
	f.StringVar(&o.freeze, "freeze", "", "parameters not to train, by what their names begin with, such as 0.,3.bias")
	f.StringVar(&o.monitor, "monitor", "test_loss", "what --patience, --best and --schedule plateau look at: loss, accuracy, f1 ... or the same with test_ before it")
}

// schedules are what --schedule names.
func (o *recipeFlags) schedules() map[string]train.Schedule {
	return map[string]train.Schedule{
		"linear": train.Linear{WarmUp: o.warmUp}, "constant": train.Constant{WarmUp: o.warmUp}, "step": train.Step{}, "exponential": train.Exponential{WarmUp: o.warmUp},
		"cosine": train.Cosine{WarmUp: o.warmUp}, "onecycle": train.OneCycle{}, "polynomial": train.Polynomial{WarmUp: o.warmUp},
		"plateau": train.ReduceOnPlateau{Monitor: o.monitor, Patience: 2},
	}
}

// apply sets what the flags say of a loop.
func (o *recipeFlags) apply(l *train.Loop) error {
	schedule, ok := o.schedules()[o.schedule]
	switch {
	case !ok:
		return fmt.Errorf("--schedule %q, want one of %s", o.schedule, strings.Join(slices.Sorted(maps.Keys(o.schedules())), ", "))
	case o.warmUp != 0 && slices.Contains([]string{"step", "onecycle", "plateau"}, o.schedule):
		return fmt.Errorf("--warmup %d with --schedule %s, which has none", o.warmUp, o.schedule)
	case !(o.smoothing >= 0 && o.smoothing <= 1):
		return fmt.Errorf("--label-smoothing %v, want 0 to 1", o.smoothing)
	case o.accumulate < 1:
		return fmt.Errorf("--accumulate %d, want 1 or more", o.accumulate)
	}
	if l.Schedule = schedule; o.schedule == "constant" && o.warmUp == 0 {
		l.Schedule = nil
	}
	l.Loss, l.Accumulate = layers.SoftmaxCrossEntropy{LabelSmoothing: float32(o.smoothing)}, o.accumulate
	l.Clip = train.Clip{Value: o.clipValue, Norm: o.clipNorm}
	if o.ema != 0 {
		l.EMA = &train.EMA{Decay: o.ema, WarmUp: true, Use: true}
	}
	for prefix := range strings.SplitSeq(o.freeze, ",") {
		if prefix != "" {
			l.Groups = append(l.Groups, train.Group{Match: prefix, Frozen: true})
		}
	}
	return nil
}

// runFlags say what a run measures, when it ends and what it leaves.
type runFlags struct {
	classWeights   string
	patience, keep int
	best, metrics  bool
	validation     float64
}

func (o *runFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&o.classWeights, "class-weights", "none", "none, or balanced: classes with few examples weigh more")
	f.IntVar(&o.patience, "patience", 0, "epochs without a better --monitor after which to stop, with the weights of the best epoch; 0 goes on")
	f.BoolVar(&o.best, "best", false, "write best.safetensors, a checkpoint of the best epoch, too")
	f.IntVar(&o.keep, "keep", 0, "write a checkpoint for every epoch to the folder epochs, and keep that many; 0 writes none")
	f.BoolVar(&o.metrics, "metrics", false, "print precision, recall, F1 and more after each epoch, and the confusion of classes at the end")
	f.Float64Var(&o.validation, "validation", 0, "part of the training set, such as 0.1, to measure after each epoch and not to train on; the test set is then measured once, at the end")
}

// check returns an error of flags that cannot work with any set.
func (o *runFlags) check() error {
	switch {
	case o.patience < 0 || o.keep < 0:
		return fmt.Errorf("--patience %d, --keep %d, want 0 or more of each", o.patience, o.keep)
	case !(o.validation >= 0 && o.validation < 1):
		return fmt.Errorf("--validation %v, want 0, or a part of the training set below 1", o.validation)
	case o.classWeights != "none" && o.classWeights != "balanced":
		return fmt.Errorf("--class-weights %q, want none or balanced", o.classWeights)
	}
	return nil
}

// apply sets what the flags say of a loop that trains on a set, into an output folder.
func (o *runFlags) apply(l *train.Loop, set data.Dataset, monitor, folder string) error {
	if loss, ok := l.Loss.(layers.SoftmaxCrossEntropy); ok && o.classWeights == "balanced" {
		var err error
		if loss.Weights, err = train.BalancedWeights(set); err != nil {
			return fmt.Errorf("--class-weights: %w", err)
		}
		l.Loss = loss
	}
	if o.patience > 0 {
		l.EarlyStopping = &train.EarlyStopping{Monitor: monitor, Patience: o.patience, Restore: true}
	}
	if o.best {
		l.SaveBest = &train.SaveBest{Path: filepath.Join(folder, "best.safetensors"), Monitor: monitor}
	}
	if o.keep > 0 {
		l.SaveEvery = &train.SaveEvery{Folder: filepath.Join(folder, "epochs"), Keep: o.keep}
	}
	return nil
}

// sets are what to train on, and what to measure after each epoch.
func (o *runFlags) sets(trainSet, testSet data.Dataset, seed uint32) (fit, validation data.Dataset, err error) {
	if o.validation == 0 {
		return trainSet, testSet, nil
	}
	if fit, validation, err = data.Split(trainSet, o.validation, seed); err != nil {
		return nil, nil, fmt.Errorf("--validation %v: %w", o.validation, err)
	}
	return fit, validation, nil
}

// tell is a callback that prints what is known at the end: why it came early, how good the
// model is on a test set that was not looked at before, and what it confuses.
func (o *runFlags) tell(ctx context.Context, show *printer, testSet data.Dataset) train.Callback {
	return train.Callback{AfterFit: func(f *train.Fit) error {
		if why := f.Stopped(); why != "" {
			show.stopped(why)
		}
		if o.metrics && !show.json && len(f.History) > 0 {
			last := f.History[len(f.History)-1]
			confusion(show.out, fmt.Sprintf("of epoch %d", last.Epoch), last.Confusion, f.Train.Spec().Classes)
		}
		if o.validation == 0 {
			return nil
		}
		e, err := train.NewEvaluator(f.Device, f.Loop.Model, f.Loop.Loss, testSet, f.Loop.Storage)
		if err != nil {
			return err
		}
		defer e.Close()
		m, err := e.Measure(ctx)
		if err != nil {
			return err
		}
		show.tested(testSet.Spec().Name, m)
		if o.metrics && !show.json {
			confusion(show.out, "of the test set", m.Confusion, f.Train.Spec().Classes)
		}
		return nil
	}}
}

// held is the name of what is measured after each epoch.
func (o *runFlags) held() string {
	if o.validation > 0 {
		return "validation"
	}
	return "test"
}

// measures are an epoch's on a line.
func (o *runFlags) measures(e train.Epoch) string {
	if !o.metrics {
		return ""
	}
	var text strings.Builder
	for _, part := range []struct {
		name string
		of   map[string]float64
	}{{"train", e.Metrics}, {o.held(), e.TestMetrics}} {
		for i, name := range slices.Sorted(maps.Keys(part.of)) {
			if i == 0 {
				fmt.Fprintf(&text, "\n           %-10s", part.name)
			}
			fmt.Fprintf(&text, "  %s %.4f", name, part.of[name])
		}
	}
	return text.String() + fmt.Sprintf("  rate %.3g", e.LearningRate)
}

// confusion prints rows by class, and precision, recall and F1 of each.
func confusion(out io.Writer, of string, c train.Confusion, classes []string) {
	if len(c) == 0 || len(c) > 30 {
		return
	}
	width := 6
	for _, name := range classes {
		width = max(width, min(len(name), 12)+1)
	}
	fmt.Fprintf(out, "confusion %s: a row for each class, a column for what it was taken for\n%*s", of, width+1, "")
	name := func(i int) string {
		if i < len(classes) {
			return fmt.Sprintf("%.12s", classes[i])
		}
		return fmt.Sprint(i)
	}
	for i := range c {
		fmt.Fprintf(out, "%*s", width, name(i))
	}
	fmt.Fprintln(out, "  precision  recall      F1")
	precision, recall, f1 := c.Precision(), c.Recall(), c.F1()
	for i, row := range c {
		fmt.Fprintf(out, "%*s ", width, name(i))
		for _, n := range row {
			fmt.Fprintf(out, "%*d", width, n)
		}
		fmt.Fprintf(out, "  %9.4f  %6.4f  %6.4f\n", precision[i], recall[i], f1[i])
	}
}
