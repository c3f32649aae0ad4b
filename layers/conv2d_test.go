package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestConv2D(t *testing.T) {
	layertest.Run(t, NewConv2D(1, 3, 5), layertest.Shape(2, 1, 9, 11))
	layertest.Run(t, NewConv2D(3, 9, 3), layertest.Shape(2, 3, 8, 7))
	odd := NewConv2DGroups(4, 6, 3, 2, 2)
	odd.Stride, odd.Padding, odd.Dilation = 2, 1, 2
	layertest.Run(t, odd, layertest.Shape(2, 4, 9, 8))
	padded := NewConv2DGroups(6, 6, 3, 3, 6)
	padded.Padding, padded.Bias = 1, nil
	layertest.Run(t, padded, layertest.Shape(1, 6, 5, 6))
}
