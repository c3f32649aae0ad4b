package report

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train"
	"github.com/pumice-ml/pumice/train/data"
)

// brightest is 2x2 images of four classes, the place of the brightest pixel, but for
// the labels given, which are of the first images.
func brightest(n int, labels ...byte) *data.Set {
	s := &data.Set{Name: "brightest", Channels: 1, Height: 2, Width: 2, Classes: []string{"a", "b", "c", "d"}}
	for i := range n {
		for j := range 4 {
			v := byte(10*j + i%7)
			if j == i%4 {
				v = byte(200 + i%50)
			}
			s.Pixels = append(s.Pixels, v)
		}
		s.Labels = append(s.Labels, byte(i%4))
	}
	copy(s.Labels, labels)
	return s
}

// picker is a model that knows the answers by its weights: 4 times the pixels.
func picker() (layers.Layer, *layers.Linear) {
	l := layers.NewLinear(4, 4)
	clear(l.Weight.Data)
	clear(l.Bias.Data)
	for i := range 4 {
		l.Weight.Data[5*i] = 4
	}
	return layers.Sequential{layers.Flatten{}, l}, l
}

func devices(t *testing.T, f func(t *testing.T, dev *compute.Device)) {
	t.Run("reference", func(t *testing.T) {
		dev := compute.Reference()
		defer dev.Close()
		f(t, dev)
	})
	t.Run("gpu", func(t *testing.T) {
		dev := devicetest.Open(t)
		devicetest.NoLeaks(t, dev)
		f(t, dev)
	})
}

// TestCollect has a model whose answers, activations and gradients are known.
func TestCollect(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		model, l := picker()
		before := slices.Clone(l.Weight.Data)
		trainSet, testSet := brightest(12), brightest(301, 2, 1, 0) // 0 is told for 2, 2 for 0
		loop := &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.AdamW{LR: 1e-3}, Batch: 8}
		if err := dev.Upload(l.Weight, l.Bias); err != nil {
			t.Fatal(err)
		}
		defer dev.Forget(l.Weight, l.Bias)
		f, err := Collect(context.Background(), dev, loop, trainSet, testSet, Options{})
		if err != nil {
			t.Fatal(err)
		}
		j := f.Judgement
		if j.Examples != 301 || j.Wrong != 2 || len(j.Mistakes) != 2 || j.Confusion[2][0] != 1 || j.Confusion[0][2] != 1 || j.Confusion[1][1] != 75 {
			t.Fatalf("%d of %d wrong, confusion %v", j.Wrong, j.Examples, j.Confusion)
		}
		sum := 0.0
		for i := range testSet.Len() {
			loss, _ := plainLoss(testSet, i)
			sum += loss
		}
		if want := sum / 301; math.Abs(j.Loss-want) > 1e-5 {
			t.Errorf("loss %v, want %v", j.Loss, want)
		}
		first, p0 := plainLoss(testSet, 0)
		second, _ := plainLoss(testSet, 2)
		worst := 0
		if second > first {
			worst = 2
		}
		if m := j.Mistakes[0]; m.Index != worst || math.Abs(m.Loss-max(first, second)) > 1e-5 || m.Picture == nil || j.Mistakes[1].Loss > m.Loss {
			t.Errorf("worst mistake %+v, want number %d with loss %v", m, worst, max(first, second))
		}
		if i := slices.IndexFunc(j.Mistakes, func(m Mistake) bool { return m.Index == 0 }); math.Abs(j.Mistakes[i].Probability-p0[0]) > 1e-5 || j.Mistakes[i].Told != 0 {
			t.Errorf("mistake %+v, want %v for class 0", j.Mistakes[i], p0[0])
		}
		if c := j.MostConfused(1); len(c) != 1 || c[0].Count != 1 {
			t.Errorf("most confused %v", c)
		}
		if c := j.PerClass()[1]; c.Precision != 1 || c.Recall != 1 || c.F1 != 1 || c.Examples != 75 {
			t.Errorf("class 1: %+v", c)
		}
		// The chosen example is the worst mistake; its only layer makes 4 times it.
		if c := f.Chosen; c.Index != worst || len(c.Steps) != 1 || c.Truth != testSet.Classes[testSet.Labels[worst]] {
			t.Fatalf("chosen %+v", c)
		}
		low, high := 255.0, 0.0
		for _, b := range testSet.Image(worst) {
			low, high = min(low, 4*float64(b)/255), max(high, 4*float64(b)/255)
		}
		if p := f.Chosen.Steps[0].Picture; math.Abs(p.Low-low) > 1e-5 || math.Abs(p.High-high) > 1e-5 || p.Maps != 1 {
			t.Errorf("activation from %v to %v, want %v to %v", p.Low, p.High, low, high)
		}
		if f.Filters == nil || f.Filters.Picture.Maps != 4 || f.Filters.Picture.High != 4 || f.Filters.Picture.Low != -4 {
			t.Errorf("filters %+v", f.Filters)
		}
		checkGradients(t, f, trainSet)
		if len(f.Weights) != 2 || f.Weights[0].High != 4 || f.Weights[0].Low != 0 || f.Weights[0].Mean != 1 {
			t.Errorf("weights %+v", f.Weights)
		}
		names := ""
		for _, k := range f.Kernels {
			names += k.Kernel + " "
		}
		if len(f.Kernels) < 3 || len(f.Missing) != 0 || len(f.Summary) != 2 {
			t.Errorf("kernels %s, missing %v, summary %v", names, f.Missing, f.Summary)
		}
		if err := dev.Download(context.Background(), l.Weight); err != nil || !slices.Equal(l.Weight.Data, before) {
			t.Errorf("the weights changed: %v, %v", err, l.Weight.Data)
		}
	})
}

// TestFirstFilters wants those behind layers without weights of their own to train.
func TestFirstFilters(t *testing.T) {
	spec := brightest(1).Spec()
	mean, deviation := []float32{0.5}, []float32{0.25}
	linear := func() layers.Layer { return layers.NewLinear(4, 3) }
	for name, c := range map[string]struct {
		model layers.Layer
		want  string
	}{
		"linear":            {layers.Sequential{layers.Flatten{}, linear()}, "1 Linear(4, 3)"},
		"normalized linear": {layers.Sequential{layers.NewStandardize(mean, deviation), layers.Flatten{}, linear()}, "2 Linear(4, 3)"},
		"normalized conv":   {layers.Sequential{layers.NewStandardize(mean, deviation), layers.NewConv2D(1, 2, 2)}, "1 Conv2D(1, 2, 2x2)"},
		"batch norm":        {layers.Sequential{layers.NewBatchNorm2D(1), layers.NewConv2D(1, 2, 2)}, ""},
	} {
		got := ""
		if f := FirstFilters(c.model, spec); f != nil {
			got = f.Layer
		}
		if got != c.want {
			t.Errorf("%s: filters of %q, want %q", name, got, c.want)
		}
	}
}

// TestCollectSchedules wants the findings of loops whose updates are not their steps, and
// whose schedules have a length.
func TestCollectSchedules(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	for name, change := range map[string]func(*train.Loop){
		"accumulate": func(l *train.Loop) { l.Accumulate = 2 },
		"warm-up":    func(l *train.Loop) { l.Schedule = train.Linear{WarmUp: 100} },
		"both":       func(l *train.Loop) { l.Accumulate, l.Schedule = 3, train.Cosine{WarmUp: 20} },
		"one update": func(l *train.Loop) { l.Epochs, l.Batch, l.Accumulate = 1, 100, 4 },
	} {
		model, _ := picker()
		set := brightest(400)
		loop := &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.SGD{LR: 0.01}, Batch: 4, Epochs: 3}
		change(loop)
		if _, err := loop.Run(context.Background(), dev, set, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f, err := Collect(context.Background(), dev, loop, set, nil, Options{}); err != nil || len(f.Kernels) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	model, _ := picker()
	_, err := Collect(context.Background(), dev, &train.Loop{Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &train.SGD{LR: 0.01}}, brightest(8), nil, Options{})
	if err == nil || !strings.Contains(err.Error(), "batch of 0 examples, want 1 or more") {
		t.Errorf("a loop that did not run: %v", err)
	}
}

// plainLoss is the cross-entropy of 4 times the pixels, and the probabilities.
func plainLoss(s *data.Set, i int) (float64, []float64) {
	sum, p := 0.0, make([]float64, 4)
	for j, b := range s.Image(i) {
		p[j] = math.Exp(4 * float64(b) / 255)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return -math.Log(p[s.Labels[i]]), p
}

// checkGradients compares the gradients' extremes with (p - truth) x^T by hand.
func checkGradients(t *testing.T, f *Findings, s *data.Set) {
	t.Helper()
	var w [16]float64
	var b [4]float64
	for i := range 8 {
		_, p := plainLoss(s, i)
		p[s.Labels[i]]--
		for k := range 4 {
			b[k] += p[k] / 8
			for j, v := range s.Image(i) {
				w[4*k+j] += p[k] * float64(v) / 255 / 8
			}
		}
	}
	if f.GradientExamples != 8 || len(f.Gradients) != 2 {
		t.Fatalf("%d gradients of %d examples, want 2 of 8", len(f.Gradients), f.GradientExamples)
	}
	for i, want := range [][]float64{w[:], b[:]} {
		g := f.Gradients[i]
		if math.Abs(g.Low-slices.Min(want)) > 1e-6 || math.Abs(g.High-slices.Max(want)) > 1e-6 {
			t.Errorf("gradient of %s from %v to %v, want %v to %v", g.Name, g.Low, g.High, slices.Min(want), slices.Max(want))
		}
	}
}

// TestCollectTable has a table with numbers as targets: no classes, no images.
func TestCollectTable(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	set := table(20)
	model := layers.Sequential{layers.NewLinear(3, 5), layers.Tanh{}, layers.NewLinear(5, 1)}
	layers.Initialize(model, 1)
	loop := &train.Loop{Model: model, Loss: layers.MSE{}, Optimizer: &train.SGD{LR: 0.01}, Batch: 5, Epochs: 1}
	if _, err := loop.Run(context.Background(), dev, set, set); err != nil {
		t.Fatal(err)
	}
	f, err := Collect(context.Background(), dev, loop, set, set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{PartConfusion, PartMistakes, PartActivations, PartFilters} {
		if f.Missing[part] == "" {
			t.Errorf("%s is left out without a sentence", part)
		}
	}
	if len(f.Gradients) != 4 || len(f.Kernels) == 0 || f.Judgement != nil {
		t.Errorf("%d gradients, %d kernels, judgement %v", len(f.Gradients), len(f.Kernels), f.Judgement)
	}
	if _, err := Collect(context.Background(), dev, loop, set, set, Options{Chosen: 21}); err == nil {
		t.Error("example 20 of 20 was taken")
	}
}
