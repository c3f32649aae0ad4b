package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of conv2d_direct.wgsl compute convolutions whose channels, or taps, are too
// few for the tiles of conv2d_workgroup.wgsl, as those of a group for each channel.

// convDirect are kernels that compute some channels and rows in an invocation, and the
// gradient of the weights of some channels in a workgroup.
type convDirect struct {
	name                      string
	forward, backwardX, split *compute.Kernel
}

// convDirects are for one channel of a group, and for more.
var convDirects = []convDirect{
	newConvDirect("direct_depthwise", ",channels=1,rows=4", ",channels=1"),
	newConvDirect("direct", "", ""),
}

func newConvDirect(name, consts, weights string) convDirect {
	return convDirect{
		name,
		compute.NewKernel("conv2d_direct.forward"+consts, convForwardDefine, compute.DotOf(convParams.terms)),
		compute.NewKernel("conv2d_direct.backward_x"+consts, convBackwardXDefine, compute.DotOf(convParams.turnedTerms)),
		compute.NewKernel("conv2d_direct_weights.split"+weights, func(p convParams, b [][]float64) {
			convRangesDefine(p, [][]float64{b[0], b[1], nil, b[2]})
		}, compute.DotOf(func(p convParams) int { return int(p.part()) })),
	}
}

func (d convDirect) channels() uint32 { return uint32(constant(d.forward, "channels")) }

// takes reports whether d computes so many channels of a group, sums of so many terms:
// where that is not for a tile, nor more taps than should be written out. Asked for, any
// channels will do.
func (d convDirect) takes(asked bool, p convParams, channels, terms uint32) bool {
	if p.R*p.S > maxTaps || terms > longest {
		return false
	}
	few := outputTile(channels, 0, 1) == 0 || terms < fewTerms
	return asked || few && (channels == 1) == (d.channels() == 1)
}

// takesWeights reports whether d computes the gradient of the weights: where that is not
// for a tile, and each invocation has several spots. Asked for, any channels will do.
func (d convDirect) takesWeights(asked bool, p convParams) bool {
	if int(p.S) > constant(d.split, "widest") || p.part() > longest {
		return false
	}
	tile, _ := p.ranges()
	return asked || tile == 0 && p.part() >= longPart && (p.K == p.Groups) == (d.channels() == 1)
}

// directRanges is in how many splits the kernels make enough workgroups for the gradient
// of the weights, each with a range of spots that is worth one; 0 where they do not take it.
func (p convParams) directRanges() uint32 {
	spots := p.N * p.OH * p.OW
	if tile, _ := p.ranges(); tile > 0 || int(p.S) > constant(convDirects[0].split, "widest") || spots < longPart {
		return 0
	}
	d := convDirects[1]
	if p.K == p.Groups {
		d = convDirects[0]
	}
	few := (p.K/p.Groups + d.channels() - 1) / d.channels() * (p.C / p.Groups) * p.R * p.Groups
	return max(1, min((2*busy+few-1)/few, spots/longPart), (spots+longest-1)/longest)
}

// maxTaps is how many taps the kernels write out at most.
const maxTaps = 128
