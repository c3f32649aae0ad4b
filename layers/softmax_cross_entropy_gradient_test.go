package layers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// TestSoftmaxCrossEntropyGradient wants the loss and its gradient from one run, or the
// runs of the parts where there are too many logits for it: within bounds, and with the
// bits of the parts.
func TestSoftmaxCrossEntropyGradient(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	storages := []compute.DType{compute.F32}
	if dev.Stores(compute.F16) == nil { // suite TestCheckF16 wants an error otherwise
		storages = append(storages, compute.F16)
	}
	weights := []float32{1, 0.5, 3, 0.25, 2}
	for _, c := range []struct {
		loss          SoftmaxCrossEntropy
		rows, classes int
		parts         bool // too many
	}{
		{rows: 1, classes: 1}, {rows: 2, classes: 4096}, {rows: 256, classes: 10}, {rows: 257, classes: 3}, {rows: 3276, classes: 10},
		{rows: 130, classes: 5, loss: SoftmaxCrossEntropy{LabelSmoothing: 0.1, Weights: weights}},
		{rows: sumChunk + 1, classes: 5, loss: SoftmaxCrossEntropy{Weights: weights}},
		{rows: 1, classes: 5, loss: SoftmaxCrossEntropy{LabelSmoothing: 0.1, Weights: []float32{0, 1, 1, 1, 1}}},
		{rows: 1, classes: 4097, parts: true}, {rows: 3277, classes: 10, parts: true},
	} {
		for _, storage := range storages {
			t.Run(fmt.Sprint(c, storage), func(t *testing.T) {
				record := func() (tape *compute.Tape, kept []*compute.Tensor, write func(p *compute.Program) error) {
					tape = compute.NewTape(dev)
					tape.Storage = storage
					values := map[*compute.Tensor][]float32{}
					x, labels := input(tape, values, "x", 1, c.rows, c.classes), tape.Input("labels", compute.U32, c.rows)
					loss := c.loss.Loss(tape, x, labels)
					tape.SetGrad(loss, input(tape, values, "scale", 1, 1))
					tape.BackwardFromGrads()
					kept = []*compute.Tensor{loss, tape.Grad(x)}
					tape.Keep(kept...)
					return tape, kept, func(p *compute.Program) error {
						of := make([]uint32, c.rows)
						for i := range of {
							of[i] = uint32(i % (c.classes + 1)) // and beyond
						}
						if err := p.WriteU32(labels, of); err != nil {
							return err
						}
						return writeAll(values)(p)
					}
				}
				var first []float32
				for _, without := range [][]string{nil, {"fuse"}} {
					tape, kept, write := record()
					one := slices.ContainsFunc(devicetest.Lowered(tape, without...), func(d ir.Dispatch) bool { return d.Kernel == (*ir.Kernel)(crossEntropyGradient) })
					if want := without == nil && !c.parts; one != want {
						t.Errorf("without %v: in one run: %v, want %v", without, one, want)
					}
					p, err := tape.Compile(without...)
					if err != nil {
						t.Fatal(err)
					}
					defer p.Close()
					if err := write(p); err != nil {
						t.Fatal(err)
					}
					if err := p.Run(context.Background()); err != nil {
						t.Fatal(err)
					}
					var got []float32
					for _, z := range kept {
						v := make([]float32, z.Len())
						if err := p.Read(context.Background(), z, v); err != nil {
							t.Fatal(err)
						}
						got = append(got, v...)
					}
					if first == nil {
						first = got
					}
					for i, v := range got {
						if math.Float32bits(v) != math.Float32bits(first[i]) {
							t.Fatalf("number %d: %v in one run, %v in parts", i, first[i], v)
						}
					}
				}
				tape, _, write := record()
				found, err := devicetest.Verify(tape, write)
				devicetest.Check(t, found, err)
			})
		}
	}
}
