package layers

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestEmbeddingBag(t *testing.T) {
	for _, c := range []struct {
		count, size, padding int
		in                   layertest.Input
	}{
		{1, 1, 0, layertest.Indices(1, 2, 3)}, {2, 2, 1, layertest.Indices(2, 1, 1)}, {6, 5, 2, layertest.Indices(9, 4, 7)}, {71, 3, 0, layertest.Indices(4, 67, 5)},
	} {
		layertest.Run(t, NewEmbeddingBag(c.count, c.size, c.padding), c.in)
	}
}

// TestEmbeddingBagPadding wants padding to count for nothing: a row has the mean of its
// other vectors, wherever the padding stands, and its vector has no gradient. Where it is
// the last vector of the table, so does an index beyond the table.
func TestEmbeddingBagPadding(t *testing.T) {
	reference := compute.Reference()
	defer reference.Close()
	for _, c := range []struct {
		padding     int
		weight      []float32
		ids         []uint32
		means, want []float32 // and the gradient
	}{
		{
			1, []float32{1, 2, 1e9, 1e9, 5, -4, 3, 8}, []uint32{0, 2, 1, 1, 3, 1, 1, 1, 1, 2, 2, 0},
			[]float32{3, -1, 3, 8, 0, 0, 11.0 / 3, -2}, []float32{2, 4, 0, 0, 3, 6, 1, 1},
		},
		{
			3, []float32{1, 2, 3, 8, 5, -4, 1e9, 1e9}, []uint32{0, 2, 4, 3, 1, 9, 3, 4, 1 << 31, 2, 2, 0},
			[]float32{3, -1, 3, 8, 0, 0, 11.0 / 3, -2}, []float32{2, 4, 1, 1, 3, 6, 0, 0},
		},
	} {
		for _, dev := range []*compute.Device{devicetest.Open(t), reference} {
			l := NewEmbeddingBag(4, 2, c.padding)
			copy(l.Weight.Data, c.weight)
			ids := &compute.Param{Name: "ids", Shape: []int{4, 3}, Ints: c.ids, Frozen: true}
			tape := compute.NewTape(dev)
			y := l.Forward(tape, tape.Param(ids))
			dy := tape.Input("dy", compute.F32, 4, 2)
			tape.SetGrad(y, dy)
			tape.BackwardFromGrads()
			dw := tape.Grad(tape.Param(l.Weight))
			tape.Keep(y, dw)
			read := map[*compute.Tensor][]float32{y: make([]float32, 8), dw: make([]float32, 8)}
			run(t, tape, map[*compute.Tensor][]float32{dy: {2, 4, 1, 1, 9, 9, 3, 6}}, read)
			if !slices.Equal(read[y], c.means) {
				t.Errorf("%v, padding %d: means %v, want %v", dev, c.padding, read[y], c.means)
			}
			if !slices.Equal(read[dw], c.want) {
				t.Errorf("%v, padding %d: gradient %v, want %v", dev, c.padding, read[dw], c.want)
			}
			dev.Forget(l.Weight, ids)
		}
	}
}
