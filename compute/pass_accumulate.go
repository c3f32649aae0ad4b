package compute

import (
	"maps"
	"slices"
)

func (t *Tape) kept() (kept []*Tensor) {
	for _, s := range t.slots {
		if s.keep {
			kept = append(kept, s.first)
		}
	}
	return kept
}

// accumulate gives every tensor that starts at zero its first value: where its
// first dispatch adds to it, and to no other that has a value, the dispatch
// assigns instead, if its kernel may; otherwise zeros are written before it. Kept tensors
// that no dispatch touches are zeros too.
func accumulate(list []Dispatch, kept []*Tensor, assigns func(*Kernel) bool) []Dispatch {
	var out []Dispatch
	started := map[*slot]bool{}
	for _, d := range list {
		var starts []*Tensor // zeroed tensors without a value yet
		adds := len(d.Kernel.read().entry.Adds) > 0 && assigns(d.Kernel)
		for i, x := range d.Tensors {
			fresh := x.base.zeroed && !started[x.base]
			if fresh {
				starts = append(starts, x)
			}
			if slices.Contains(d.Kernel.read().entry.Adds, d.binding(i).Name) != fresh {
				adds = false // reads zeros, or adds to a value
			}
		}
		for _, x := range starts {
			started[x.base] = true
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
		if x.base.zeroed && !started[x.base] {
			started[x.base] = true
			out = append(out, zeros(x))
		}
	}
	return out
}

func zeros(x *Tensor) Dispatch {
	return Dispatch{Kernel: fill, Params: fillParams{uint32(x.Len()), 0}, Tensors: []*Tensor{x}}
}
