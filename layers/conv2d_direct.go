package layers

import "github.com/pumice-ml/pumice/compute"

// The kernels of conv2d_direct.wgsl compute convolutions whose channels, or taps, are too
// few for the tiles of conv2d_workgroup.wgsl, as those of a group for each channel.

// convDirect are kernels that compute some channels and rows in an invocation.
type convDirect struct {
	name               string
	channels           uint32
	forward, backwardX *compute.Kernel
}

// convDirects are for one channel of a group, and for more.
var convDirects = []convDirect{
	newConvDirect("direct_depthwise", ",channels=1,rows=4"),
	newConvDirect("direct", ""),
}

func newConvDirect(name, consts string) convDirect {
	forward := compute.NewKernel("conv2d_direct.forward"+consts, convForwardDefine, compute.DotOf(convParams.terms))
	return convDirect{
		name, uint32(forward.Const("channels")), forward,
		compute.NewKernel("conv2d_direct.backward_x"+consts, convBackwardXDefine, compute.DotOf(convParams.turnedTerms)),
	}
}

// takes reports whether d computes so many channels of a group, sums of so many terms:
// where that is not for a tile, nor more taps than should be written out. Where a tape
// asks for a variant by name, any channels will do.
func (d convDirect) takes(t *compute.Tape, p convParams, channels, terms uint32) bool {
	if p.R*p.S > maxTaps || terms > longest {
		return false
	}
	few := outputTile(channels, 0, 1) == 0 || terms < fewTerms
	return t.Variant != "" || few && (channels == 1) == (d.channels == 1)
}

// maxTaps is how many taps the kernels write out at most.
const maxTaps = 128
