package layers

import "github.com/pumice-ml/pumice/compute"

// A convolution with a kernel of one tap is a product for each image: of the weights
// (k, c) and the image (c, h*w), or, for its input gradient, of their transpose and the
// gradient (k, h*w).

// pointwise reports whether each output depends on one pixel, and the images are no more
// than a batch of products may have on the device.
func (p convParams) pointwise(info compute.Info) bool {
	return p.R == 1 && p.S == 1 && p.StrideH == 1 && p.StrideW == 1 && p.PadH == 0 && p.PadW == 0 && p.Groups == 1 &&
		p.OH == p.H && p.OW == p.W && 0 < p.N && p.N <= info.Limits.WorkgroupsPerDimension
}

// matmulForward records y += bias + the product. A ReLU comes after all sums, so that
// they need a place of their own.
func (p convParams) matmulForward(t *compute.Tape, x, weight, bias, y *compute.Tensor) {
	n, c, k, size := int(p.N), int(p.C), int(p.K), int(p.H*p.W)
	sums := y
	if p.Rectified != 0 {
		sums = t.ZerosF32(n, k, size)
	}
	sumAndBias(sums, func() {
		MatMul(t.Reshape(weight, 1, k, c), t.Reshape(x, n, c, size), t.Reshape(sums, n, k, size), MatMulOptions{})
	}, func() {
		if p.Rectified == 0 && p.Biased != 0 {
			biasForward.Run(biasParams{Batch: p.N, Channels: p.K, Size: uint32(size)}, bias, y)
		}
	})
	if p.Rectified != 0 {
		convRectified.Run(finishParams{p.N, p.K, uint32(size), p.Biased}, sums, bias, y)
	}
}

type finishParams struct{ N, K, Size, Biased uint32 }

var convRectified = compute.NewKernel("conv2d_finish.rectified", func(p finishParams, b [][]float64) {
	z, bias, y := b[0], b[1], b[2]
	for i, v := range z {
		if p.Biased != 0 {
			v += bias[i/int(p.Size)%int(p.K)]
		}
		y[i] = max(y[i]+v, 0)
	}
}, compute.Reduce(2))
