package layers

import (
	"slices"

	"github.com/pumice-ml/pumice/compute"
)

// The kernels of windows of 2 x 2 without padding, whose rows are whole quads: they
// load four elements at once, and find what an element belongs to without loops.
// runPairs runs one of them, where it can.
func (p maxPool2DParams) runPairs(k *compute.Kernel, x []*compute.Tensor) bool {
	ok := p.Size == 2 && p.Stride == 2 && p.Padding == 0 && p.H%2 == 0 && p.W%4 == 0
	return runIf(ok, k, maxPool2DPairsParams{p.Planes, p.H, p.W, p.Gated}, x...)
}

type maxPool2DPairsParams struct{ Planes, H, W, Gated uint32 }

// whole are the params of the plain kernel.
func (p maxPool2DPairsParams) whole() maxPool2DParams {
	return maxPool2DParams{p.Planes, p.H, p.W, p.H / 2, p.W / 2, 2, 2, 0, p.Gated}
}

var maxPool2DPairsForward = compute.NewKernel("max_pool2d_pairs.forward", func(p maxPool2DPairsParams, b [][]float64) {
	maxPool2DForwardDefine(p.whole(), b)
}, maxPool2DForwardModel)

var maxPool2DPairsBackward = compute.NewKernel("max_pool2d_pairs.backward", func(p maxPool2DPairsParams, b [][]float64) {
	maxPool2DBackwardDefine(p.whole(), b)
}, compute.Reduce(1))

var maxPool2DPairsBackwardOver = compute.NewKernel("max_pool2d_pairs.backward_over", func(p maxPool2DPairsParams, b [][]float64) {
	gate := slices.Clone(b[2])
	clear(b[2])
	maxPool2DBackwardDefine(p.whole(), [][]float64{b[0], b[1], gate, b[2]})
}, compute.Reduce(1))
