package train

import (
	"context"
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
	"github.com/pumice-ml/pumice/train/data"
)

// TestEvaluatorRest evaluates sets that batches do not divide, from device memory and as
// a stream, and wants what one batch of all examples gives.
func TestEvaluatorRest(t *testing.T) {
	linear := func(in, out int) layers.Layer { return layers.Sequential{layers.NewLinear(in, out)} }
	for name, c := range map[string]struct {
		model  layers.Layer
		loss   layers.Loss
		set    data.Dataset
		batch  int
		budget int64 // that no whole set fits in
	}{
		"images":           {small(), layers.SoftmaxCrossEntropy{}, stripes(150, 3), 32, 9000},
		"numbers":          {linear(3, 2), layers.MSE{}, plane(150, 1), 32, 2000},
		"indices":          {layers.Sequential{layers.NewEmbedding(40, 4), layers.Flatten{}, layers.NewLinear(24, 2)}, layers.SoftmaxCrossEntropy{}, words(150, 1), 32, 3000},
		"bytes to numbers": {linear(5, 1), layers.Huber{}, shades(151, 1), 20, 1300},
	} {
		t.Run(name, func(t *testing.T) {
			layers.Initialize(c.model, 5)
			devices(t, func(t *testing.T, dev *compute.Device) {
				defer forget(dev, c.model)
				measure := func(batch int, budget int64) Metrics {
					e, err := newEvaluator(dev, c.model, c.loss, c.set, batch, compute.F32, budget, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer e.Close()
					if streamed := e.set.stream != nil; streamed != (budget > 0) {
						t.Errorf("budget %d: streamed %v", budget, streamed)
					}
					m, err := e.Measure(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					return m
				}
				want := measure(c.set.Len(), 0)
				if want.Rows != c.set.Len() {
					t.Fatalf("%d rows, want %d", want.Rows, c.set.Len())
				}
				for _, budget := range []int64{0, c.budget} {
					got := measure(c.batch, budget)
					if got.Rows != want.Rows || got.Accuracy != want.Accuracy || !(math.Abs(got.Loss-want.Loss) <= 1e-5*want.Loss) {
						t.Errorf("batches of %d, budget %d: got %+v, want %+v", c.batch, budget, got, want)
					}
				}
			})
		})
	}
}
