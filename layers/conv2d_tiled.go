package layers

import "github.com/pumice-ml/pumice/compute"

// The tiled kernels hold a tile of outputs in registers, so that each number
// they load meets many others. They take every shape whose tiles fit; the plain
// kernels of conv2d.wgsl take the rest.

// splitTiles are the kernels for the gradient of the weights.
type splitTiles struct {
	name   string
	kernel *compute.Kernel
	most   uint32 // products
	suits  func(compute.Info) bool
}

var convSplits = []splitTiles{
	{"looked_up", convTiledSplitLookedUp, 300, swiftShader},
	{"tiled", convTiledSplit, maxProducts, nil},
}

func (s splitTiles) record(t *compute.Tape, p convParams, x []*compute.Tensor, _ bool) bool {
	tiled, ok := weightTiles(p, splitting(t.Device().Info()), s.most)
	tiled.Splits = p.Splits
	return runIf(ok && tiled.short(), s.kernel, tiled, x[0], x[0], x[1], x[1], x[2])
}

// swiftShader reports whether a device is that software driver, which is also the one of
// browsers; they do not say how large subgroups are.
func swiftShader(info compute.Info) bool {
	return software(info) && (info.Subgroup == 4 || info.Browser != "")
}

// turned is the convolution of dy that gives the gradient of the input, of one with
// stride 1.
func (p convParams) turned() convParams {
	return convParams{
		N: p.N, C: p.K, H: p.OH, W: p.OW, K: p.C, R: p.R, S: p.S, OH: p.H, OW: p.W, StrideH: 1, StrideW: 1,
		PadH: int32((p.R-1)*p.DilationH) - p.PadH, PadW: int32((p.S-1)*p.DilationW) - p.PadW,
		DilationH: p.DilationH, DilationW: p.DilationW, Groups: p.Groups,
	}
}

// What a driver can be asked to compile and a register file to hold: products in
// the body of the innermost loop, and quads of columns.
const (
	maxProducts = 1300
	maxSums     = 64 // the shaders' arrays
	maxSeen     = 32
	maxWeights  = 72
	maxMet      = 40
)

type tiledParams struct {
	N, C, H, W, K, R, S, OH, OW  uint32
	StrideH, StrideW             uint32
	PadH, PadW                   int32
	DilationH, DilationW         uint32
	Groups, Biased               uint32
	Rectified, Turned            uint32
	Channels, Rows, Quads, Shift uint32
}

// window is how many quads of columns of x meet four columns of y, and the
// columns before the first of those. Loads are of whole quads where rows
// consist of them.
func (p convParams) window() (quads, shift uint32) {
	if p.W%4 == 0 {
		shift = uint32(-p.PadW) % 4
	}
	return (shift + 3*p.StrideW + (p.S-1)*p.DilationW + 4) / 4, shift
}

// tiled is p without the size of a tile.
func (p convParams) tiled(turned bool) tiledParams {
	t := tiledParams{
		N: p.N, C: p.C, H: p.H, W: p.W, K: p.K, R: p.R, S: p.S, OH: p.OH, OW: p.OW, StrideH: p.StrideH, StrideW: p.StrideW,
		PadH: p.PadH, PadW: p.PadW, DilationH: p.DilationH, DilationW: p.DilationW, Groups: p.Groups, Biased: p.Biased, Rectified: p.Rectified,
	}
	if turned {
		t.Turned = 1
	}
	t.Quads, t.Shift = p.window()
	return t
}

// tiles chooses the tile of a convolution, which may not depend on the number of
// images: their results are the same bits in every batch.
func tiles(p convParams, turned bool) (tiledParams, bool) {
	t := p.tiled(turned)
	t.Channels = 8
	if p.K/p.Groups <= 4 || p.S*8*4 > maxProducts {
		t.Channels = 4
	}
	// On software drivers a load of four numbers costs about as much as 180
	// products; a tile below the last row is wasted.
	const load = 180
	best := uint32(0)
	for rows := uint32(8); rows >= 1; rows-- {
		if rows > 1 && rows*p.S*t.Channels*4 > maxProducts || rows*t.Channels > maxSums || rows*t.Quads > maxSeen {
			continue
		}
		row := rows*p.S*t.Channels*4 + load*(t.Quads+p.S*t.Channels/4)
		cost := (p.OH + rows - 1) / rows * (row*p.R + load*(rows-1)*t.Quads)
		if best == 0 || cost < best {
			best, t.Rows = cost, rows
		}
	}
	return t, best != 0 && p.S <= 100
}

// runTiled records y += bias + convolution of x, and reports whether a tile does.
func runTiled(t *compute.Tape, c convParams, turned bool, x, weight, bias, y *compute.Tensor) bool {
	p, ok := tiles(c, turned)
	if !ok {
		return false
	}
	_, size := p.blocks()
	packed := t.New(size)
	convPack.Run(p, weight, packed)
	if p.OW%4 == 0 {
		return runIf(true, convTiled, p, x, x, packed, bias, y)
	}
	return runIf(true, convTiledOdd, p, x, x, packed, bias, y)
}

// blocks counts the blocks of output channels of a group, and all packed
// weights.
func (p tiledParams) blocks() (blocks, size int) {
	blocks = int((p.K/p.Groups + p.Channels - 1) / p.Channels)
	return blocks, blocks * int(p.Channels*p.C*p.R*p.S)
}

// conv is the convolution that the kernel computes, or whose input gradient it
// computes where it is turned.
func (p tiledParams) conv() convParams {
	c := convParams{
		N: p.N, C: p.C, H: p.H, W: p.W, K: p.K, R: p.R, S: p.S, OH: p.OH, OW: p.OW, StrideH: p.StrideH, StrideW: p.StrideW,
		PadH: p.PadH, PadW: p.PadW, DilationH: p.DilationH, DilationW: p.DilationW, Groups: p.Groups, Biased: p.Biased, Rectified: p.Rectified,
	}
	if p.Turned != 0 {
		c.C, c.H, c.W, c.K, c.OH, c.OW = p.K, p.OH, p.OW, p.C, p.H, p.W
		c.PadH, c.PadW = int32((p.R-1)*p.DilationH)-p.PadH, int32((p.S-1)*p.DilationW)-p.PadW
	}
	return c
}

// eachPacked calls f with the place of every packed weight and that of the
// weight itself, or -1 for padding.
func (p tiledParams) eachPacked(f func(packed, weight int)) {
	blocks, _ := p.blocks()
	inner, outer := int(p.C/p.Groups), int(p.K/p.Groups)
	taps, i := int(p.R*p.S), 0
	for g := range int(p.Groups) {
		for b := range blocks {
			for c := range inner {
				for tap := range taps {
					for k := b * int(p.Channels); k < (b+1)*int(p.Channels); k++ {
						switch {
						case k >= outer:
							f(i, -1)
						case p.Turned != 0:
							f(i, ((g*inner+c)*outer+k)*taps+taps-1-tap)
						default:
							f(i, ((g*outer+k)*inner+c)*taps+tap)
						}
						i++
					}
				}
			}
		}
	}
}

var convPack = compute.NewKernel("conv2d_tiled.pack", func(p tiledParams, b [][]float64) {
	weight, packed := b[0], b[1]
	p.eachPacked(func(i, from int) {
		packed[i] = 0
		if from >= 0 {
			packed[i] = weight[from]
		}
	})
}, compute.Exact)

func convTiledDefine(p tiledParams, b [][]float64) {
	x, packed, bias, y := b[0], b[2], b[3], b[4]
	weight := make([]float64, p.K*(p.C/p.Groups)*p.R*p.S)
	p.eachPacked(func(i, from int) {
		if from >= 0 {
			weight[from] = packed[i]
		}
	})
	if p.Turned != 0 {
		convBackwardXDefine(p.conv(), [][]float64{weight, x, y})
		return
	}
	convForwardDefine(p.conv(), [][]float64{x, weight, bias, y})
}

func (p tiledParams) terms() int { return int(p.C/p.Groups*p.R*p.S) + 1 }

var (
	convTiled    = compute.NewKernel("conv2d_tiled.forward", convTiledDefine, compute.DotOf(tiledParams.terms))
	convTiledOdd = compute.NewKernel("conv2d_tiled.forward_odd", convTiledDefine, compute.DotOf(tiledParams.terms))
)

type weightTiledParams struct {
	N, C, H, W, K, R, S, OH, OW uint32
	StrideH, StrideW            uint32
	PadH, PadW                  int32
	DilationH, DilationW        uint32
	Groups                      uint32
	Channels, Inputs            uint32
	Quads, Shift, Splits        uint32
	Biased                      uint32
}

// splitting is for how many invocations a weight gradient is split: on processors as
// few as keep the cores busy, for the parts have to be joined.
func splitting(info compute.Info) uint32 {
	if hardware(info) {
		return 1 << 14
	}
	return 256
}

// weightTiles chooses the tile of a weight gradient: all taps of some output and
// input channels, of at most so many products. There are splits for about so many
// invocations.
func weightTiles(p convParams, invocations, most uint32) (weightTiledParams, bool) {
	t := weightTiledParams{
		N: p.N, C: p.C, H: p.H, W: p.W, K: p.K, R: p.R, S: p.S, OH: p.OH, OW: p.OW, StrideH: p.StrideH, StrideW: p.StrideW,
		PadH: p.PadH, PadW: p.PadW, DilationH: p.DilationH, DilationW: p.DilationW, Groups: p.Groups, Biased: p.Biased,
	}
	inner, outer, taps := p.C/p.Groups, p.K/p.Groups, p.R*p.S
	t.Quads, t.Shift = p.window()
	if taps > maxWeights || p.R*t.Quads > maxMet {
		return t, false
	}
	switch work := p.products(); {
	case work < little:
		most = 200
	case work >= 24<<20:
		most = maxProducts
	}
	t.Channels = max(1, min(outer, 8, most/(4*taps)))
	if t.Channels > 4 && 2*taps > maxWeights {
		t.Channels = 4
	}
	t.Inputs = min(
		inner, 16, max(1, min(most/(4*taps*t.Channels), 512/(taps*t.Channels))),
		maxMet/(p.R*t.Quads), maxWeights/((t.Channels+3)/4*taps),
	)
	strips := max(p.N, 1) * ((p.OW + 3) / 4)
	blocks := (outer + t.Channels - 1) / t.Channels * ((inner + t.Inputs - 1) / t.Inputs) * p.Groups
	all := p.N * p.OH * p.OW // of which the plain kernel sums as many splits
	splits := min(max(invocations/blocks, 8, (all+longest-1)/longest), strips)
	each := (strips + splits - 1) / splits // strips of a split, of all splits but the last ones
	t.Splits = (strips + each - 1) / each
	return t, t.short()
}

// short reports whether an invocation's loops are.
func (p weightTiledParams) short() bool {
	strips, all := max(p.N, 1)*((p.OW+3)/4), p.N*p.OH*p.OW
	return p.Splits > 0 && (strips+p.Splits-1)/p.Splits*p.OH <= longest && (all+p.Splits-1)/p.Splits <= longest
}

func convTiledSplitDefine(p weightTiledParams, b [][]float64) {
	x, dy, part := b[0], b[2], b[4]
	c := convParams{
		N: p.N, C: p.C, H: p.H, W: p.W, K: p.K, R: p.R, S: p.S, OH: p.OH, OW: p.OW, StrideH: p.StrideH, StrideW: p.StrideW,
		PadH: p.PadH, PadW: p.PadW, DilationH: p.DilationH, DilationW: p.DilationW, Groups: p.Groups, Biased: p.Biased,
	}
	splits := make([][]spot, p.Splits)
	across := int(p.OW+3) / 4
	for strip := range int(p.N) * across {
		which := strip % len(splits)
		for y := range int(p.OH) {
			for x := strip % across * 4; x < min(strip%across*4+4, int(p.OW)); x++ {
				splits[which] = append(splits[which], spot{strip / across, y, x})
			}
		}
	}
	c.parts(x, dy, part, splits)
}

func (p weightTiledParams) terms() int {
	return int((p.N*((p.OW+3)/4) + p.Splits - 1) / p.Splits * p.OH * 4)
}

var (
	convTiledSplit         = compute.NewKernel("conv2d_tiled_weights.split", convTiledSplitDefine, compute.DotOf(weightTiledParams.terms))
	convTiledSplitLookedUp = compute.NewKernel("conv2d_tiled_weights.split,looked_up=1", convTiledSplitDefine, compute.DotOf(weightTiledParams.terms))
)
