package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of conv2d_subgroup.wgsl are those of conv2d_tiled.wgsl for drivers that
// run a subgroup in the lanes of a processor's vector instructions.

// subgroupTiles are the kernels for subgroups of a size.
type subgroupTiles struct {
	name      string
	even, odd *compute.Kernel
	most      uint32 // products of a tile's row of taps, unless there is much work
}

var convSubgroups = []subgroupTiles{newSubgroupTiles("subgroup8", "", 800), newSubgroupTiles("subgroup4", ",block=4,looked_up=1", 200)}

func newSubgroupTiles(name, consts string, most uint32) subgroupTiles {
	return subgroupTiles{
		name,
		compute.NewKernel("conv2d_subgroup.forward"+consts, convSubgroupDefine, compute.DotOf(tiledParams.terms)),
		compute.NewKernel("conv2d_subgroup.forward_odd"+consts, convSubgroupDefine, compute.DotOf(tiledParams.terms)),
		most,
	}
}

// record records y += bias + convolution of x.
func (k subgroupTiles) record(c convParams, turned bool, x, weight, bias, y *compute.Tensor) bool {
	p, ok := subgroupTile(c, turned, k.most)
	kernel := k.even
	if p.OW%4 != 0 {
		kernel = k.odd
	}
	return runIf(ok, kernel, p, x, x, weight, bias, y)
}

// subgroupTile chooses the tile, of at most so many products, by the work
// that there is. All tiles add in the same order.
func subgroupTile(p convParams, turned bool, most uint32) (tiledParams, bool) {
	t := p.tiled(turned)
	outer, columns := p.K/p.Groups, 3*p.StrideW+(p.S-1)*p.DilationW+1
	// A load of a lane costs about as much as 45 products of all. A tile below the
	// last row is wasted, as are channels beyond the last.
	const load = 45
	switch work := p.products(); {
	case work < little:
		most = 160
	case work >= 24<<20:
		most = 800 // more are hardly faster
	}
	best := uint32(0)
	for _, channels := range []uint32{1, 2, 4, 8, 16} {
		for rows := uint32(1); rows <= 14; rows++ {
			products := rows * p.S * channels * 4
			if products > most && rows*channels > 1 || rows*channels > maxSums || rows*t.Quads > maxSeen || p.S*channels > 256 {
				continue
			}
			row := products + load*(columns+(p.S*channels+7)/8)
			cost := (outer + channels - 1) / channels * ((p.OH + rows - 1) / rows) * (row*p.R + load*(rows-1)*columns)
			if best == 0 || cost < best {
				best, t.Rows, t.Channels = cost, rows, channels
			}
		}
	}
	return t, best != 0 && p.S <= 100
}

// little is how many products are so few that the time to compile kernels matters more
// than theirs.
const little = 1 << 21

func (p convParams) products() uint64 {
	return uint64(p.N) * uint64(p.OH) * uint64(p.OW) * uint64(p.K) * uint64(p.C/p.Groups) * uint64(p.R) * uint64(p.S)
}

func convSubgroupDefine(p tiledParams, b [][]float64) {
	x, weight, bias, y := b[0], b[2], b[3], b[4]
	if p.Turned != 0 {
		convBackwardXDefine(p.conv(), [][]float64{weight, x, y})
		return
	}
	convForwardDefine(p.conv(), [][]float64{x, weight, bias, y})
}
