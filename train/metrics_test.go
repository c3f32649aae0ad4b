package train

import (
	"context"
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
)

// TestMetrics counts hits of known logits, the first maximum winning, over two
// batches.
func TestMetrics(t *testing.T) {
	devices(t, func(t *testing.T, dev *compute.Device) {
		sums := newMetrics()
		defer dev.Forget(sums.counts, sums.total)
		tape := compute.NewTape(dev)
		logits, labels := tape.Input("logits", compute.F32, 5, 3), tape.Input("labels", compute.U32, 5)
		loss := tape.Input("loss", compute.F32, 1)
		sums.record(tape, loss, logits, labels)
		p, err := tape.Compile()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx := context.Background()
		for _, err := range []error{
			sums.reset(dev),
			p.Write(logits, []float32{3, 1, 2, 0, -1, 0, 1, 1, 0, -5, -4, -3, 7, 8, 9}), // maxima 0, 0, 0, 2, 2
			p.WriteU32(labels, []uint32{0, 2, 0, 2, 1}), p.Write(loss, []float32{0.75}), p.Run(ctx),
			p.WriteU32(labels, []uint32{1, 0, 0, 2, 2}), p.Write(loss, []float32{0.25}), p.Run(ctx),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		mean, accuracy, rows, err := sums.read(ctx, dev)
		if err != nil || rows != 10 || math.Abs(mean-0.5) > 1e-7 || math.Abs(accuracy-0.7) > 1e-7 {
			t.Errorf("loss %v, accuracy %v of %d rows, %v; want 0.5, 0.7 of 10", mean, accuracy, rows, err)
		}
	})
}
