package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestConcat(t *testing.T) {
	along := func(axis int) func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor {
		return func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor { return Concat(tape, axis, x...) }
	}
	s := layertest.Shape
	layertest.RunOp(t, along(0), nil, s(3), s(1), s(67))
	layertest.RunOp(t, along(1), nil, s(2, 3, 5), s(2, 1, 5), s(2, 4, 5))
	layertest.RunOp(t, along(-1), nil, s(7, 11), s(7, 2))
	layertest.RunOp(t, func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor {
		return Concat(tape, 1, x[0], x[0])
	}, nil, s(3, 5))

	tape := compute.NewTape(compute.Reference())
	a, b := tape.Input("a", compute.F32, 2, 3), tape.Input("b", compute.F32, 4, 5)
	panics(t, "layers: Concat: no tensors, want at least one", func() { Concat(tape, 0) })
	panics(t, "layers: Concat: axis -3 of shape [2 3]", func() { Concat(tape, -3, a) })
	panics(t, "layers: Concat: shapes [2 3] and [4 5], want the same but for axis 1", func() { Concat(tape, 1, a, b) })
}
