package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestMaxPool2D(t *testing.T) {
	layertest.Run(t, MaxPool2D{Size: 2}, layertest.Shape(1, 1, 2, 2), layertest.Shape(2, 3, 7, 11))
	layertest.Run(t, MaxPool2D{Size: 3, Stride: 1, Padding: 1}, layertest.Shape(1, 2, 5, 7))
	layertest.Run(t, MaxPool2D{Size: 5, Stride: 2, Padding: 2}, layertest.Shape(2, 1, 9, 4))
	layertest.Run(t, MaxPool2D{Size: 2, Stride: 3, Padding: 1}, layertest.Shape(1, 3, 8, 7))
}

func TestAvgPool2D(t *testing.T) {
	layertest.Run(t, AvgPool2D{Size: 2}, layertest.Shape(1, 1, 2, 2), layertest.Shape(2, 3, 7, 11))
	layertest.Run(t, AvgPool2D{Size: 3, Stride: 1, Padding: 1}, layertest.Shape(1, 2, 5, 7))
	layertest.Run(t, AvgPool2D{Size: 5, Stride: 2, Padding: 2, ExcludePadding: true}, layertest.Shape(2, 1, 9, 4))
	layertest.Run(t, AvgPool2D{Size: 2, Stride: 3, Padding: 1, ExcludePadding: true}, layertest.Shape(1, 3, 8, 7))
}
