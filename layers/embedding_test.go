package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
	"github.com/pumice-ml/pumice/testdata"
)

func TestEmbedding(t *testing.T) {
	// Indices of 6 and more count as 5; some rows are never asked for.
	for _, c := range []struct {
		count, size int
		in          layertest.Input
	}{
		{1, 1, layertest.Indices(1, 1)}, {6, 5, layertest.Indices(9, 3, 7)}, {71, 3, layertest.Indices(71, 130)},
	} {
		l := NewEmbedding(c.count, c.size)
		layertest.Run(t, l, c.in)
	}
}

// TestEmbeddingBlocks has more positions than one block links.
func TestEmbeddingBlocks(t *testing.T) {
	const n = embeddingBlock + 100
	reference := compute.Reference()
	defer reference.Close()
	l := NewEmbedding(3, 1)
	for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
		tape := compute.NewTape(dev)
		x, dy := compute.NewParamU32("x", n), compute.NewParam("dy", n, 1)
		want := []float32{0, 0, 0}
		for i := range n {
			x.Ints[i], dy.Data[i] = uint32(i%2), float32(i%5)
			want[i%2] += float32(i % 5)
		}
		y := l.Forward(tape, tape.Param(x))
		tape.SetGrad(y, tape.Param(dy))
		tape.BackwardFromGrads()
		dw := tape.Grad(tape.Param(l.Weight))
		tape.Keep(dw)
		got := make([]float32, 3)
		run(t, tape, nil, map[*compute.Tensor][]float32{dw: got})
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%v: gradient %v, want %v", dev, got, want)
			}
		}
		dev.Forget(x, dy, l.Weight)
	}
}

func TestPyTorchEmbedding(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, c := range testdata.PyTorch("embedding") {
		t.Run(c.Name, func(t *testing.T) {
			for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
				l := NewEmbedding(c.Int("num_embeddings"), c.Int("embedding_dim"))
				copy(l.Weight.Data, c.F32("weight"))
				indices := &compute.Param{Name: "indices", Shape: c.Shape("indices"), Ints: c.U32("indices"), Frozen: true}
				tape := compute.NewTape(dev)
				y := l.Forward(tape, tape.Param(indices))
				dy := tape.Input("dy", compute.F32, c.Shape("dy")...)
				tape.SetGrad(y, dy)
				tape.BackwardFromGrads()
				dw := tape.Grad(tape.Param(l.Weight))
				tape.Keep(y, dw)
				read := map[*compute.Tensor][]float32{y: make([]float32, y.Len()), dw: make([]float32, dw.Len())}
				run(t, tape, map[*compute.Tensor][]float32{dy: c.F32("dy")}, read)
				near(t, dev, "y", read[y], c.F64("y"))
				near(t, dev, "dweight", read[dw], c.F64("dweight"))
				dev.Forget(l.Weight, indices)
			}
		})
	}
}

func TestEmbeddingPanics(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 2)
	panics(t, "layers: Embedding: input x f32[2], want u32 indices", func() { NewEmbedding(3, 2).Forward(tape, x) })
	panics(t, "layers: NewEmbedding: 0 vectors of 2 elements, want 1 or more", func() { NewEmbedding(0, 2) })
}
