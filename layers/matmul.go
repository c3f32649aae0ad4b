package layers

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/rule"
)

// MatMulOptions says how MatMul reads its operands.
type MatMulOptions struct {
	TransposeA, TransposeB bool
}

// maxSum is the longest sum of one dispatch; longer ones are added up in several.
const maxSum = 4 * 50_000

// MatMul records y += A B for matrices, or batches of them: A is a (batch, m,
// k), or its transpose where a is (batch, k, m); B is b (batch, k, n), or its
// transpose where b is (batch, n, k); y is (batch, m, n). Leading dimensions
// count as the batch; an operand with a batch of 1 serves the whole batch of the
// other. y is a tensor of zeros (Tape.Zeros) or a gradient. It panics where the
// shapes do not fit.
func MatMul(a, b, y *compute.Tensor, o MatMulOptions) {
	batchA, m, k := matrix(a, o.TransposeA)
	batchB, kb, n := matrix(b, o.TransposeB)
	batch, my, ny := matrix(y, false)
	if k != kb || m != my || n != ny || batch != max(batchA, batchB) || (batchA != batch && batchA != 1) || (batchB != batch && batchB != 1) {
		panic(fmt.Sprintf("layers: MatMul: %v by %v (transposed %v, %v) to %v", a.Shape(), b.Shape(), o.TransposeA, o.TransposeB, y.Shape()))
	}
	rule.Use(y.Tape(), matmulRules()...)
	p := matmulParams{Batch: uint32(batch), M: uint32(m), N: uint32(n), K: uint32(k)}
	if o.TransposeA {
		p.TransposeA = 1
	}
	if o.TransposeB {
		p.TransposeB = 1
	}
	if batchA > 1 {
		p.StrideA = uint32(m * k)
	}
	if batchB > 1 {
		p.StrideB = uint32(k * n)
	}
	for from := 0; from < k; from += maxSum {
		p.K0, p.K1 = uint32(from), uint32(min(from+maxSum, k))
		matmulForward.Run(p, a, b, a, b, y)
	}
}

// matrix splits a shape into batch, rows and columns.
func matrix(x *compute.Tensor, transposed bool) (batch, rows, columns int) {
	s := x.Shape()
	if len(s) < 2 {
		panic(fmt.Sprintf("layers: MatMul: shape %v, want 2 dimensions or more", s))
	}
	rows, columns = s[len(s)-2], s[len(s)-1]
	if transposed {
		rows, columns = columns, rows
	}
	return compute.Elements(s[:len(s)-2]), rows, columns
}

type matmulParams struct {
	Batch, M, N, K, K0, K1                   uint32
	TransposeA, TransposeB, StrideA, StrideB uint32
}

var matmulForward = compute.NewKernel("matmul.forward", matmulDefine, compute.DotOf(matmulParams.terms))

func (p matmulParams) terms() int { return int(p.K1 - p.K0) }

func matmulDefine(p matmulParams, b [][]float64) {
	m, n, k, sum := int(p.M), int(p.N), int(p.K), int(p.K1-p.K0)
	for i := range int(p.Batch) {
		left, right, y := b[0][i*int(p.StrideA):], b[1][i*int(p.StrideB):], b[4][i*m*n:]
		ta, tb := blas.NoTrans, blas.NoTrans
		ga := blas64.General{Rows: m, Cols: sum, Stride: k}
		gb := blas64.General{Rows: sum, Cols: n, Stride: n}
		if p.TransposeA != 0 {
			ta, ga = blas.Trans, blas64.General{Rows: sum, Cols: m, Stride: m}
			ga.Data = left[int(p.K0)*m:]
		} else {
			ga.Data = left[p.K0:]
		}
		if p.TransposeB != 0 {
			tb, gb = blas.Trans, blas64.General{Rows: n, Cols: sum, Stride: k}
			gb.Data = right[p.K0:]
		} else {
			gb.Data = right[int(p.K0)*n:]
		}
		blas64.Gemm(ta, tb, 1, ga, gb, 1, blas64.General{Rows: m, Cols: n, Stride: n, Data: y})
	}
}
