package layers

import "github.com/pumice-ml/pumice/compute"

// matvecRows is the most rows of A that the kernel of matvec.wgsl takes: those of
// inference, a row or a few at a time.
const matvecRows = 8

type matvecParams struct {
	Batch, M, N, K, K0, K1                           uint32
	TransposeA, TransposeB, StrideA, StrideB, Across uint32
}

var matvecForward = compute.NewKernel("matvec.forward", func(p matvecParams, b [][]float64) {
	matmulDefine(matmulParams{p.Batch, p.M, p.N, p.K, p.K0, p.K1, p.TransposeA, p.TransposeB, p.StrideA, p.StrideB}, b)
}, compute.DotOf(func(p matvecParams) int { return int(p.K1 - p.K0) }))

// matvecRecord records the variant matvec.
func matvecRecord(_ *compute.Tape, p matmulParams, x []*compute.Tensor, _ bool) bool {
	q := matvecParams{p.Batch, p.M, p.N, p.K, p.K0, p.K1, p.TransposeA, p.TransposeB, p.StrideA, p.StrideB, p.across()}
	return runIf(p.M <= matvecRows, matvecForward, q, x...)
}

// across is how many invocations of a workgroup lie side by side, of 4 columns each; the
// others take other k. Neighbours read neighbours: along the columns where those are
// rows of b, along k where b is transposed. It does not depend on the rows of A, so that
// each has the bits that it has alone.
func (p matmulParams) across() uint32 {
	across, block := uint32(1), uint32(constant(matvecForward, "block"))
	if p.TransposeB == 0 {
		for across < 16 && 4*across < p.N {
			across *= 2
		}
	}
	for across < block && 4*block/across > p.K1-p.K0 { // slices that would have nothing to add
		across *= 2
	}
	return across
}
