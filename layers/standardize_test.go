package layers

import (
	"math"
	"testing"

	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestStandardize(t *testing.T) {
	layertest.Run(t, NewStandardize([]float32{0.25}, []float32{3}), layertest.Shape(1, 1), layertest.Shape(2, 1, 5, 7))
	layertest.Run(t, NewStandardize([]float32{0.25, -1, 0}, []float32{3, 0.125, 0.7}), layertest.Shape(3, 3), layertest.Shape(2, 3, 5, 7), layertest.Shape(1, 3, 67))
}

func TestStandardizeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ mean, deviation []float32 }{
		"none":      {},
		"lengths":   {[]float32{1, 2}, []float32{1}},
		"zero":      {[]float32{1}, []float32{0}},
		"negative":  {[]float32{1}, []float32{-1}},
		"no number": {[]float32{float32(math.NaN())}, []float32{1}},
		"infinite":  {[]float32{1}, []float32{float32(math.Inf(1))}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			NewStandardize(c.mean, c.deviation)
		})
	}
}
