package infer

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers"
)

// TestF16 opens a session that stores f16: with half of the bytes for its weights, and
// probabilities that are near those of f32, or an error that names the feature.
func TestF16(t *testing.T) {
	ctx, dev, w := context.Background(), devicetest.Open(t), weights(t)
	devicetest.NoLeaks(t, dev)
	held := func() (bytes int64) {
		for _, use := range dev.Ledger() {
			if use.Owner == "parameters" {
				bytes = use.Bytes
			}
		}
		return bytes
	}
	before := held()
	half, err := Config{Storage: compute.F16}.Open(dev, model(), w, 1, 6, 6)
	if dev.Stores(compute.F16) != nil {
		if !errors.Is(err, compute.ErrFeature) || !strings.Contains(err.Error(), "shader-f16") {
			t.Errorf("got %v, want ErrFeature and the name of the feature", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if got, want := held()-before, 2*int64(layers.CountParams(model())); got != want {
		t.Errorf("weights hold %d bytes, want %d", got, want)
	}
	whole, err := Open(dev, model(), w, 1, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	var off float64
	for i := range uint32(20) {
		got, err := half.Predict(ctx, image(i))
		want, err2 := whole.Predict(ctx, image(i))
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		for j := range got {
			off = max(off, math.Abs(float64(got[j]-want[j])))
		}
	}
	// Sums of up to 48 products of numbers near 1, each a few units of f16 off.
	if off == 0 || off > 48*0x1p-11 {
		t.Errorf("probabilities are off by %v, want more than 0 and at most %v", off, 48*0x1p-11)
	}
}
