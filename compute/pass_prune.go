package compute

// prune drops the dispatches that write nothing anybody reads: not a parameter,
// not a kept tensor, and nothing that a later remaining dispatch uses.
func prune(list []Dispatch) []Dispatch {
	live := map[*slot]bool{}
	keep := make([]bool, len(list))
	kept := 0
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		for j, x := range d.Tensors {
			if d.writes(j) && (x.base.param != nil || x.base.keep || live[x.base]) {
				keep[i] = true
			}
		}
		if keep[i] {
			kept++
			for _, x := range d.Tensors {
				live[x.base] = true
			}
		}
	}
	out := make([]Dispatch, 0, kept)
	for i, d := range list {
		if keep[i] {
			out = append(out, d)
		}
	}
	return out
}
