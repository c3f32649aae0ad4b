package layers

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestLinear(t *testing.T) {
	layertest.Run(t, NewLinear(3, 5), layertest.Shape(1, 3), layertest.Shape(2, 3, 3))
	layertest.Run(t, NewLinear(8, 12), layertest.Shape(9, 8))
	layertest.Run(t, NewLinear(67, 10), layertest.Shape(33, 67))
	bare := NewLinear(6, 4)
	bare.Bias = nil
	layertest.Run(t, bare, layertest.Shape(5, 6))
}

func TestMatMul(t *testing.T) {
	for _, o := range []MatMulOptions{{}, {TransposeA: true}, {TransposeB: true}, {TransposeA: true, TransposeB: true}} {
		for _, s := range [][4]int{{2, 12, 20, 4}, {3, 9, 7, 17}} {
			a, b := []int{s[0], s[1], s[3]}, []int{s[0], s[3], s[2]}
			if o.TransposeA {
				a[1], a[2] = a[2], a[1]
			}
			if o.TransposeB {
				b[1], b[2] = b[2], b[1]
			}
			layertest.RunOp(t, func(t *compute.Tape, x []*compute.Tensor) *compute.Tensor {
				return product(t, x[0], x[1], s, o)
			}, nil, layertest.Shape(a...), layertest.Shape(b...))
		}
	}
}

// product is MatMul with its gradients: dA = dY B^T, dB = A^T dY, each
// transposed where the operand is.
func product(t *compute.Tape, a, b *compute.Tensor, s [4]int, o MatMulOptions) *compute.Tensor {
	y := t.Zeros(s[0], s[1], s[2])
	MatMul(a, b, y, o)
	t.OnBackward(func() {
		dy := t.Grad(y)
		if o.TransposeA {
			MatMul(b, dy, t.Grad(a), MatMulOptions{TransposeA: o.TransposeB, TransposeB: true})
		} else {
			MatMul(dy, b, t.Grad(a), MatMulOptions{TransposeB: !o.TransposeB})
		}
		if o.TransposeB {
			MatMul(dy, a, t.Grad(b), MatMulOptions{TransposeA: true, TransposeB: o.TransposeA})
		} else {
			MatMul(a, dy, t.Grad(b), MatMulOptions{TransposeA: !o.TransposeA})
		}
	})
	return y
}

// TestMatMulLong has sums longer than the loops of one invocation may be: of
// small whole numbers, so that every partial sum is exact.
func TestMatMulLong(t *testing.T) {
	dev := devicetest.Open(t)
	for _, k := range []int{59_999, 65_536, 70_000, 200_001, 1_000_003} {
		if (k == 70_000 || k == 200_001) && !devicetest.Full() {
			continue // between others
		}
		a, b := compute.NewParam("a", 2, k), compute.NewParam("b", 3, k)
		want := make([]float32, 6)
		for i := range k {
			for row := range 2 {
				a.Data[row*k+i] = float32((i*7 + row) % 5)
			}
			for column := range 3 {
				b.Data[column*k+i] = float32((i*3+column)%4) - 1
			}
			for j := range want {
				want[j] += a.Data[j/3*k+i] * b.Data[j%3*k+i]
			}
		}
		tape := compute.NewTape(dev)
		y := tape.Zeros(2, 3)
		MatMul(tape.Param(a), tape.Param(b), y, MatMulOptions{TransposeB: true})
		tape.Keep(y)
		got := make([]float32, 6)
		run(t, tape, nil, map[*compute.Tensor][]float32{y: got})
		if !slices.Equal(got, want) {
			t.Errorf("sums of %d: got %v, want %v", k, got, want)
		}
		dev.Forget(a, b)
	}
}
