package compute

import "slices"

// mostHoisted is how many elements a tensor of one number may have to be written once.
const mostHoisted = 1 << 16

// hoist takes the runs of fill out of the list whose tensors no other dispatch writes:
// their numbers are written when the program is compiled, as a constant's are.
func hoist(list []Dispatch) (rest []Dispatch, values map[*slot][]float32) {
	values = map[*slot][]float32{}
	writers := map[*slot]int{}
	for _, d := range list {
		for i, x := range d.Tensors {
			if d.writes(i) {
				writers[x.base]++
			}
		}
	}
	for _, d := range list {
		if d.Kernel == fill {
			s := d.Tensors[0].base
			if s.param == nil && !s.keep && writers[s] == 1 && s.n <= mostHoisted {
				values[s] = slices.Repeat([]float32{d.Params.(fillParams).Value}, s.n)
				continue
			}
		}
		rest = append(rest, d)
	}
	return rest, values
}
