package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestSoftmax(t *testing.T) {
	for _, l := range []Layer{Softmax{}, LogSoftmax{}} {
		large := layertest.Shape(2, 3, 5)
		large.Scale = 300 // most exponentials are 0
		layertest.Run(t, l, layertest.Shape(1, 1), layertest.Shape(67, 3), large, layertest.Shape(2, 1100))
	}
}

// TestSoftmaxIsBatchFree holds rows to the same bits in every batch.
func TestSoftmaxIsBatchFree(t *testing.T) {
	for _, l := range []Layer{Softmax{}, LogSoftmax{}, NewLayerNorm(5)} {
		batchFree(t, l, 70, 5)
	}
}

func TestSoftmaxPanics(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 2, 0)
	panics(t, "layers: Softmax: input shape [2 0], want (..., size) with no 0", func() { Softmax{}.Forward(tape, x) })
	panics(t, "layers: LogSoftmax: input shape [2 0], want (..., size) with no 0", func() { LogSoftmax{}.Forward(tape, x) })
}
