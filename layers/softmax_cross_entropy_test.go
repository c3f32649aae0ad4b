package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestSoftmaxCrossEntropy(t *testing.T) {
	for _, l := range []SoftmaxCrossEntropy{{}, {LabelSmoothing: 0.1}, {Weights: []float32{1, 0.5, 3, 0.25, 2}}, {LabelSmoothing: 0.2, Weights: []float32{1, 0.5, 3, 0.25, 2}}} {
		for _, rows := range []int{1, 7, 130} {
			logits := layertest.Shape(rows, 5)
			logits.Scale = 6
			layertest.RunOp(t, func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor {
				return l.Loss(t, x[0], x[1])
			}, nil, logits, layertest.Indices(7, rows)) // a label beyond the classes counts as the last one
		}
	}
}

// TestSoftmaxCrossEntropyLong adds up more rows than one invocation does.
func TestSoftmaxCrossEntropyLong(t *testing.T) {
	rows := sumChunk + 8
	layertest.RunOp(t, func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor {
		return SoftmaxCrossEntropy{}.Loss(t, x[0], x[1])
	}, nil, layertest.Shape(rows, 2), layertest.Indices(2, rows))
}
