package pass

import "github.com/pumice-ml/pumice/internal/ir"

// prune drops the dispatches that write nothing anybody reads: not a parameter,
// not a kept tensor, and nothing that a later remaining dispatch uses.
func prune(list []ir.Dispatch) []ir.Dispatch {
	live := map[*ir.Slot]bool{}
	keep := make([]bool, len(list))
	kept := 0
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		for j, x := range d.Tensors {
			if d.Writes(j) && (x.Base().Param != nil || x.Base().Keep || live[x.Base()]) {
				keep[i] = true
			}
		}
		if keep[i] {
			kept++
			for _, x := range d.Tensors {
				live[x.Base()] = true
			}
		}
	}
	out := make([]ir.Dispatch, 0, kept)
	for i, d := range list {
		if keep[i] {
			out = append(out, d)
		}
	}
	return out
}
