package train

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// TestAugmentDrift trains a CNN with augmentation for 100 steps on both devices, by the
// optimizer of suite.Drifts, and wants the losses of each step to be no further apart
// than the drift band. The network has no ReLU and no maximum, whose gradients jump where
// two devices round a number near their edges to different sides. The images are those of
// the real MNIST where PUMICE_MNIST names its folder, and drawn ones else.
func TestAugmentDrift(t *testing.T) {
	const steps, batch, band = 100, 16, 1e-4
	set, _ := data.Digits(data.DigitsOptions{Train: steps * batch, Test: 10})
	if dir := os.Getenv("PUMICE_MNIST"); dir != "" {
		var err error
		if set, _, err = data.LoadDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	var curves [][]float64
	devices(t, func(t *testing.T, dev *compute.Device) {
		model := layers.Sequential{
			layers.NewConv2D(1, 8, 5), layers.GELU{}, layers.AvgPool2D{Size: 2},
			layers.NewConv2D(8, 32, 5), layers.GELU{}, layers.AvgPool2D{Size: 2},
			layers.Flatten{}, layers.NewLinear(512, 10),
		}
		layers.Initialize(model, 1)
		defer forget(dev, model)
		l := &Loop{
			Model: model, Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &SGD{LR: 0.01, Momentum: 0.9}, Batch: batch, Epochs: 1, Seed: 1,
			Augment: &Augment{Shift: 2, Rotate: 10, Scale: 0.1, Shear: 0.1},
		}
		r, err := l.prepare(dev, set)
		if err != nil {
			t.Fatal(err)
		}
		release, err := r.compile()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		var curve []float64
		for range steps {
			if err := errors.Join(r.sums.reset(dev), r.program.Run(context.Background())); err != nil {
				t.Fatal(err)
			}
			m, err := r.sums.read(context.Background(), dev)
			if err != nil {
				t.Fatal(err)
			}
			curve = append(curve, m.Loss)
		}
		curves = append(curves, curve)
	})
	worst := 0.0
	for i, want := range curves[0] {
		worst = max(worst, math.Abs(want-curves[1][i]))
	}
	t.Logf("losses from %v to %v, at most %v apart", curves[0][0], curves[0][steps-1], worst)
	if !(worst <= band) || curves[0][steps-1] > curves[0][0]*0.9 {
		t.Errorf("losses from %v to %v, at most %v apart, want a fall and %v", curves[0][0], curves[0][steps-1], worst, band)
	}
}
