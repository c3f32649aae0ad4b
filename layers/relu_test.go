package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestReLU(t *testing.T) {
	layertest.Run(t, ReLU{}, layertest.Shape(1), layertest.Shape(3, 5), layertest.Shape(2, 67), layertest.Shape(4, 4, 16))
}
