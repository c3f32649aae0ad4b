package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// TestBalancedWeights wants 12 images of 4 classes, 6, 3, 3 and 0, to weigh as scikit-learn
// has it, and a loop to train with that.
func TestBalancedWeights(t *testing.T) {
	set := stripes(12, 1)
	copy(set.Labels, []byte{0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2})
	w, err := BalancedWeights(set)
	if err != nil || !slices.Equal(w, []float32{0.5, 1, 1, 0}) {
		t.Fatalf("weights %v, %v, want 1/2, 1, 1 and 0", w, err)
	}
	dev := compute.Reference()
	defer dev.Close()
	l := Loop{Model: small(), Loss: layers.SoftmaxCrossEntropy{Weights: w}, Optimizer: &SGD{LR: 0.1}, Batch: 6, Epochs: 1}
	h, err := l.Run(context.Background(), dev, set, nil)
	if err != nil || math.Abs(h[0].Loss) > 10 {
		t.Errorf("%+v, %v", h, err)
	}
	numbers := &data.Arrays{About: data.Spec{Name: "numbers", Targets: 1}}
	if _, err := BalancedWeights(numbers); err == nil || !strings.Contains(err.Error(), "want classes") {
		t.Errorf("of numbers: got %v", err)
	}
}
