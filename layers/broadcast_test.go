package layers

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestAddMul(t *testing.T) {
	ops := map[string]func(t *compute.Tape, a, b *compute.Tensor) *compute.Tensor{"add": Add, "mul": Mul}
	for name, op := range ops {
		t.Run(name, func(t *testing.T) {
			both := func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor { return op(tape, x[0], x[1]) }
			s := layertest.Shape
			for _, in := range [][]layertest.Input{
				{s(5, 13), s(5, 13)},
				{s(2, 3, 5, 7), s(3, 1, 1)},
				{s(1, 3), s(67, 1)},
				{s(1), s(4, 5)},
				{s(), s()},
				{s(2, 1, 3, 1, 2, 1), s(1, 2, 1, 3, 1, 5)},
				{s(1601, 2), s(2)}, // sums in stages
			} {
				layertest.RunOp(t, both, nil, in...)
			}
			layertest.RunOp(t, func(tape *compute.Tape, x []*compute.Tensor) *compute.Tensor {
				return op(tape, x[0], x[0])
			}, nil, s(3, 7))
		})
	}
}

func TestBroadcastShapes(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := func(dims ...int) *compute.Tensor { return tape.Input("x", compute.F32, dims...) }
	panics(t, "layers: Add: shapes [2 3] and [2 4], want dimensions that are equal or 1, at most 6", func() { Add(tape, x(2, 3), x(2, 4)) })
	panics(t, "layers: Mul: shapes [3] and [0], want dimensions that are equal or 1, at most 6", func() { Mul(tape, x(3), x(0)) })
	panics(t, "layers: Mul: shapes [1 1 1 1 1 1 1] and [1], want dimensions that are equal or 1, at most 6", func() { Mul(tape, x(1, 1, 1, 1, 1, 1, 1), x(1)) })
}
