package pass

import (
	"maps"
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// accumulate gives every tensor that starts at zero its first value: where its
// first dispatch adds to it, and to no other that has a value, the dispatch
// assigns instead, if its kernel may; otherwise zeros are written before it. Kept tensors
// that no dispatch touches are zeros too.
func accumulate(list []ir.Dispatch, kept []*ir.Tensor, assigns func(*ir.Kernel) bool) []ir.Dispatch {
	var out []ir.Dispatch
	started := map[*ir.Slot]bool{}
	for _, d := range list {
		var starts []*ir.Tensor // zeroed tensors without a value yet
		adds := len(d.Kernel.Entry().Adds) > 0 && assigns(d.Kernel)
		for i, x := range d.Tensors {
			fresh := x.Base().Zeroed && !started[x.Base()]
			if fresh {
				starts = append(starts, x)
			}
			if slices.Contains(d.Kernel.Entry().Adds, d.Binding(i).Name) != fresh {
				adds = false // reads zeros, or adds to a value
			}
		}
		for _, x := range starts {
			started[x.Base()] = true
		}
		if len(starts) > 0 && adds {
			d.Consts = maps.Clone(d.Consts)
			if d.Consts == nil {
				d.Consts = map[string]string{}
			}
			d.Consts["accumulate"] = "false"
		} else {
			for _, x := range starts {
				out = append(out, zeros(x))
			}
		}
		out = append(out, d)
	}
	for _, x := range kept {
		if x.Base().Zeroed && !started[x.Base()] {
			started[x.Base()] = true
			out = append(out, zeros(x))
		}
	}
	return out
}

func zeros(x *ir.Tensor) ir.Dispatch {
	return ir.Dispatch{Kernel: ir.Fill, Params: ir.FillParams{N: uint32(x.Len())}, Tensors: []*ir.Tensor{x}}
}
