package layers

import "github.com/pumice-ml/pumice/compute"

// Which params are alike when variants are measured: those that differ in the batch,
// and in what follows from it.
func init() {
	matmulForward.Classes(func(params any) any {
		p := params.(matmulParams)
		p.Batch, p.StrideA, p.StrideB = compute.BatchClass(p.Batch), min(p.StrideA, 1), min(p.StrideB, 1)
		if params.(matmulParams).Batch > 1 { // as convolutions have, whose channels m and k are
			return p
		}
		if p.TransposeA == 0 { // the rows of a linear layer's input, which its weight's gradient adds up
			p.M = compute.BatchClass(p.M)
		} else {
			p.K, p.K0, p.K1 = compute.BatchClass(p.K), compute.BatchClass(p.K0), compute.BatchClass(p.K1)
		}
		return p
	})
	convolution := func(params any) any {
		p := params.(convParams)
		p.N, p.Splits = compute.BatchClass(p.N), compute.BatchClass(p.Splits)
		return p
	}
	convForward.Classes(convolution)
	convBackwardX.Classes(convolution)
	convSplit.Classes(convolution)
	pool := func(params any) any {
		p := params.(maxPool2DParams)
		p.Planes = compute.BatchClass(p.Planes)
		return p
	}
	maxPool2DForward.Classes(pool)
	maxPool2DBackward.Classes(pool)
}
