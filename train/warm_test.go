package train

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// TestWarm wants Warm to build every pipeline that Run needs, and to leave nothing else.
func TestWarm(t *testing.T) {
	ctx := context.Background()
	fresh := func() *compute.Device {
		dev, err := compute.Open(ctx, compute.Want{Name: os.Getenv("PUMICE_ADAPTER"), DefaultLimits: os.Getenv("PUMICE_LIMITS") == "default"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		dev.Tune(false)
		return dev
	}
	loop := func() *Loop {
		return &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{}, Schedule: Linear{}, Batch: 16, Epochs: 1, Seed: 3}
	}
	trainSet, testSet := stripes(100, 1), stripes(30, 2)
	blankTrain, blankTest := data.Blank{Of: trainSet.Spec(), Count: 100}, data.Blank{Of: testSet.Spec(), Count: 30}

	cold, dev := loop(), fresh()
	if _, err := cold.Run(ctx, dev, trainSet, testSet); err != nil {
		t.Fatal(err)
	}
	warmed, dev := loop(), fresh()
	before := digest(warmed.Model)
	if err := warmed.Warm(ctx, dev, blankTrain, blankTest); err != nil {
		t.Fatal(err)
	}
	if digest(warmed.Model) != before || len(dev.Ledger()) > 0 {
		t.Errorf("Warm changed the model, or left on the device: %+v", dev.Ledger())
	}
	pipelines := devicetest.Machine(dev).Pipelines()
	if pipelines < 10 {
		t.Errorf("Warm made %d pipelines, want those of a step", pipelines)
	}
	if _, err := warmed.Run(ctx, dev, trainSet, testSet); err != nil {
		t.Fatal(err)
	}
	if n := devicetest.Machine(dev).Pipelines(); n != pipelines {
		t.Errorf("after Warm, Run made %d pipelines more, want 0", n-pipelines)
	}
	if digest(warmed.Model) != digest(cold.Model) {
		t.Error("the weights are others than without Warm")
	}
	if err := warmed.Warm(ctx, dev, blankTrain, blankTest); err == nil || !strings.Contains(err.Error(), "holds the model's") {
		t.Errorf("with a model on the device: %v", err)
	}
	if err := loop().Warm(ctx, dev, data.Blank{Of: trainSet.Spec(), Count: 15}, nil); err == nil || !strings.Contains(err.Error(), "batch of 16 examples, want 1 to 15") {
		t.Errorf("with less images than a batch: %v", err)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if err := loop().Warm(stopped, dev, blankTrain, blankTest); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	reference := compute.Reference()
	defer reference.Close()
	if err := loop().Warm(stopped, reference, blankTrain, blankTest); err != nil {
		t.Errorf("on the reference device: %v", err)
	}
}

// TestWarmDefaultBatch wants Warm to evaluate in batches of the size that Run will take,
// where the loop gives none.
func TestWarmDefaultBatch(t *testing.T) {
	ctx := context.Background()
	dev, err := compute.Open(ctx, compute.Want{Name: os.Getenv("PUMICE_ADAPTER"), DefaultLimits: os.Getenv("PUMICE_LIMITS") == "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	dev.Tune(false)
	trainSet, testSet := stripes(140, 1), stripes(260, 2)
	l := &Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{}, Optimizer: &AdamW{}, Epochs: 1, Seed: 3}
	if err := l.Warm(ctx, dev, data.Blank{Of: trainSet.Spec(), Count: 140}, data.Blank{Of: testSet.Spec(), Count: 260}); err != nil {
		t.Fatal(err)
	}
	pipelines := devicetest.Machine(dev).Pipelines()
	if _, err := l.Run(ctx, dev, trainSet, testSet); err != nil {
		t.Fatal(err)
	}
	if n := devicetest.Machine(dev).Pipelines(); n != pipelines {
		t.Errorf("after Warm, Run made %d pipelines more, want 0", n-pipelines)
	}
}
