package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// cnn is the small network for digits of many a tutorial.
func cnn() layers.Layer {
	m := layers.Sequential{
		layers.NewConv2D(1, 8, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.NewConv2D(8, 16, 5), layers.ReLU{}, layers.MaxPool2D{Size: 2},
		layers.Flatten{}, layers.NewLinear(256, 10),
	}
	layers.Initialize(m, 1)
	return m
}

// withF16 is the device of the tests, or nil where it does not store f16 and says so.
func withF16(t *testing.T) *compute.Device {
	t.Helper()
	dev := devicetest.Open(t)
	if dev.Stores(compute.F16) == nil {
		return dev
	}
	set := stripes(20, 1)
	if _, err := NewEvaluator(dev, small(), layers.SoftmaxCrossEntropy{}, set, compute.F16); !errors.Is(err, compute.ErrFeature) {
		t.Errorf("got %v, want ErrFeature", err)
	}
	return nil
}

// TestF16 trains on the built-in digits, and wants the model to be as good, to 0.2
// points, with weights and activations in f16, and, to a point, one that was trained so.
func TestF16(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	ctx := context.Background()
	trainSet, testSet := data.Digits(data.DigitsOptions{Train: 2000, Test: 1000})
	fit := Loop{Model: cnn(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 4e-3}, Schedule: Linear{}, Batch: 25, Epochs: 2, Seed: 1}
	history, err := fit.Run(ctx, dev, trainSet, testSet)
	if err != nil {
		t.Fatal(err)
	}
	forget(dev, fit.Model)
	mixed := fit
	mixed.Model, mixed.Storage = cnn(), compute.F16
	other, err := mixed.Run(ctx, dev, trainSet, testSet)
	forget(dev, mixed.Model)
	if err != nil {
		t.Fatal(err)
	}
	half, err := NewEvaluator(dev, fit.Model, layers.SoftmaxCrossEntropy{}, testSet, compute.F16)
	if err != nil {
		t.Fatal(err)
	}
	defer forget(dev, fit.Model)
	defer half.Close()
	_, got, err := half.Run(ctx)
	want := history[fit.Epochs-1].TestAccuracy
	if t.Logf("accuracy %v as f16, %v as f32; trained as f16 %v", got, want, other[fit.Epochs-1].TestAccuracy); math.Abs(other[fit.Epochs-1].TestAccuracy-want) > 0.01 {
		t.Errorf("accuracy %v, trained as f16, %v as f32, want no more than 0.01 apart", other[fit.Epochs-1].TestAccuracy, want)
	}
	if err != nil || want < 0.9 || math.Abs(got-want) > 0.002 {
		t.Errorf("accuracy %v, %v as f16, %v as f32, want 0.9 or more, and no more than 0.002 apart", got, err, want)
	}
}

// TestEvaluatorFollows wants an evaluator with f16 to see what was trained since it was made.
func TestEvaluatorFollows(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	ctx := context.Background()
	l := mixed(&AdamW{LR: 1e-2})
	l.Storage = compute.F32
	set, test := stripes(150, 3), stripes(40, 4)
	defer forget(dev, l.Model)
	early, err := NewEvaluator(dev, l.Model, l.Loss, test, compute.F16)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if _, err := l.Run(ctx, dev, set, test); err != nil {
		t.Fatal(err)
	}
	_, before, err := early.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	late, err := NewEvaluator(dev, l.Model, l.Loss, test, compute.F16)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if _, after, err := late.Run(ctx); err != nil || after != before {
		t.Errorf("accuracy %v of an evaluator opened before the training, %v after it, %v", before, after, err)
	}
}

// TestF16Inputs trains, with and without augmentation, on numbers that f16 does not hold
// until a first layer has scaled them.
func TestF16Inputs(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	set := &data.Arrays{About: data.Spec{Name: "large", Shape: []int{2, 2, 3}, DType: data.Float32, Targets: 1}}
	set.All.Rows = 64
	for i := range uint32(64) {
		sum := float32(0)
		for j := range uint32(12) {
			v := 1e5 * float32(draw(201, 1, j, i)) / 100
			set.All.Floats, sum = append(set.All.Floats, v), sum+v/1e5
		}
		set.All.Targets = append(set.All.Targets, sum/12)
	}
	for name, a := range map[string]*Augment{"as it is": nil, "augmented": {FlipX: 0.5}, "mixed": {Mixup: 0.4}} {
		t.Run(name, func(t *testing.T) {
			m := layers.Sequential{layers.NewStandardize([]float32{1e5, 1e5}, []float32{1e5, 1e5}), layers.Flatten{}, layers.NewLinear(12, 1)}
			layers.Initialize(m, 1)
			l := Loop{Model: m, Loss: layers.MSE{}, Optimizer: &AdamW{LR: 0.05}, Batch: 16, Epochs: 2, Augment: a, Storage: compute.F16}
			defer forget(dev, m)
			h, err := l.Run(context.Background(), dev, set, set)
			if err != nil {
				t.Fatal(err)
			}
			if last := h[1]; last.Skipped > 0 || !finite(last.Loss) || !finite(last.TestLoss) {
				t.Errorf("got %+v, want finite losses and no step skipped", last)
			}
			wide, err := NewEvaluator(dev, m, layers.MSE{}, set)
			if err != nil {
				t.Fatal(err)
			}
			defer wide.Close()
			// Standardized inputs, weights and outputs are rounded to f16, by 2^-11 of 2 or less.
			if want, _, err := wide.Run(context.Background()); err != nil || math.Abs(h[1].TestLoss-want) > 0.02*(1+want) {
				t.Errorf("loss %v, of f32 %v, %v", h[1].TestLoss, want, err)
			}
		})
	}
}
