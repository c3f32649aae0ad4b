package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of conv2d_workgroup.wgsl and conv2d_workgroup_weights.wgsl compute
// convolutions as products of matrices, in tiles that the invocations of a workgroup
// bring into its memory together. All tiles add in the same order, with the operations
// written out, so that among them the bits of an image do not depend on how many there
// are. Where a device tunes, or takes Winograd's, they may (see compute.Device.Tune).

// convTile is a tile of output channels by spots of y, of input channels by spots of x,
// or of output channels by taps, and its kernels.
type convTile struct {
	tile             // of y
	backwardX, split *compute.Kernel
	terms            uint32 // least number that is worth a step of the tile
	suits            func(compute.Info) bool
}

// convTiles are the tiles, the largest first. The first one has twice the steps of the
// second, in memory that not all GPUs have and that others have no more of.
var convTiles = []convTile{
	newConvTile("workgroup128deep", ",tile_k=32", 256, discrete),
	newConvTile("workgroup128", "", fewTerms, hardware),
	newConvTile("workgroup64", ",tile_m=64,tile_n=64,columns=4", fewTerms, hardware),
	newConvTile("workgroup32", ",tile_m=32,tile_n=64,rows=4,columns=4", fewTerms, hardware),
	newConvTile("workgroup16", ",tile_m=16,rows=4,columns=4", fewTerms, hardware),
}

func newConvTile(name, consts string, terms uint32, suits func(compute.Info) bool) convTile {
	return convTile{
		tile{name, compute.NewKernel("conv2d_workgroup.forward"+consts, func(p convParams, b [][]float64) {
			convForwardDefine(p, [][]float64{b[0], b[1], b[3], b[4]})
		}, compute.DotOf(convParams.terms))},
		compute.NewKernel("conv2d_workgroup.backward_x"+consts, convBackwardXDefine, compute.DotOf(convParams.turnedTerms)),
		compute.NewKernel("conv2d_workgroup_weights.split"+consts, convRangesDefine, compute.DotOf(func(p convParams) int { return int(p.part()) })),
		terms, suits,
	}
}

// part is how many spots of y the kernels of conv2d_workgroup_weights.wgsl put into a
// split.
func (p convParams) part() uint32 { return ((p.N*p.OH*p.OW+p.Splits-1)/p.Splits + 3) / 4 * 4 }

func convRangesDefine(p convParams, b [][]float64) {
	splits := make([][]spot, p.Splits)
	for i := range int(p.N * p.OH * p.OW) {
		which := i / int(p.part())
		splits[which] = append(splits[which], spot{i / int(p.OH*p.OW), i / int(p.OW) % int(p.OH), i % int(p.OW)})
	}
	p.parts(b[0], b[1], b[3], splits)
}
