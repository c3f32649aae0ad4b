package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

// every is an Augment of everything that stripes can bear.
var every = Augment{Shift: 0.5, Rotate: 5, Scale: 0.05, Shear: 0.05, Crop: 1, Cutout: 2, Noise: 0.02, Mixup: 0.2}

// TestAugmentResume interrupts runs at some steps and goes on: the weights must be those
// of the unbroken run, to the bit. A run with other changes must not go on.
func TestAugmentResume(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		make := func() *Loop {
			return &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &Adam{LR: 3e-3}, Batch: 16, Epochs: 2, Seed: 9, Augment: &every}
		}
		set, test := stripes(100, 3), stripes(40, 4)
		whole := make()
		defer forget(dev, whole.Model)
		if _, err := whole.Run(context.Background(), dev, set, test); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
		for _, cut := range []int{1, 5, 6, 7, 11} {
			broken := make()
			broken.Checkpoint = path
			if _, err := broken.Run(&countdown{Context: context.Background(), left: cut}, dev, set, test); !errors.Is(err, ErrInterrupted) {
				t.Fatalf("cut at %d: got %v, want ErrInterrupted", cut, err)
			}
			again := make()
			again.Checkpoint, again.Resume = path, true
			if _, err := again.Run(context.Background(), dev, set, test); err != nil {
				t.Fatal(err)
			}
			forget(dev, broken.Model, again.Model)
			if digest(again.Model) != digest(whole.Model) {
				t.Errorf("cut at %d: weights differ from the unbroken run's", cut)
			}
		}
		other := make()
		defer forget(dev, other.Model)
		other.Checkpoint, other.Resume, other.Augment = path, true, &Augment{Shift: 3}
		if _, err := other.Run(context.Background(), dev, set, test); err == nil || !strings.Contains(err.Error(), `augment is train.Augment{"Shift":0.5,`) {
			t.Errorf("a run with other changes goes on: %v", err)
		}
	})
}

// TestAugmentEvaluates wants a test set to be measured as it is: what the loop says is
// what an evaluation after it says.
func TestAugmentEvaluates(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		test := stripes(40, 4)
		l := Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{LR: 5e-3}, Batch: 16, Epochs: 4, Seed: 9, Augment: &every}
		defer forget(dev, l.Model)
		history, err := l.Run(context.Background(), dev, stripes(400, 3), test)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEvaluator(dev, l.Model, l.Loss, test)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		loss, accuracy, err := e.Run(context.Background())
		if last := history[3]; err != nil || last.TestLoss != loss || last.TestAccuracy != accuracy || accuracy < 0.9 {
			t.Errorf("the last epoch is %+v, the evaluation %v and %v, %v; want the same, and 0.9 or more", last, loss, accuracy, err)
		}
	})
}

// TestAugmentDevicesAgree trains the same model with augmentation on both devices.
func TestAugmentDevicesAgree(t *testing.T) {
	var losses [][]float64
	devices(t, func(t *testing.T, dev *compute.Device) {
		l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{Momentum: 0.9}, Batch: 16, Epochs: 3, Seed: 4, Augment: &every}
		defer forget(dev, l.Model)
		h, err := l.Run(context.Background(), dev, stripes(160, 1), stripes(40, 2))
		if err != nil {
			t.Fatal(err)
		}
		var curve []float64
		for _, e := range h {
			curve = append(curve, e.Loss, e.TestLoss)
		}
		losses = append(losses, curve)
	})
	for i := range losses[0] {
		if off := math.Abs(losses[0][i] - losses[1][i]); off > 1e-4 {
			t.Errorf("loss %d: reference %v, gpu %v", i, losses[0][i], losses[1][i])
		}
	}
}
