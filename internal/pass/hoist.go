package pass

import (
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// mostHoisted is how many elements a tensor of one number may have to be written once.
const mostHoisted = 1 << 16

// hoist takes the runs of fill out of the list whose tensors no other dispatch writes:
// their numbers are written when the program is compiled, as a constant's are.
func hoist(list []ir.Dispatch) (rest []ir.Dispatch, values map[*ir.Slot][]float32) {
	values = map[*ir.Slot][]float32{}
	writers := map[*ir.Slot]int{}
	for _, d := range list {
		for i, x := range d.Tensors {
			if d.Writes(i) {
				writers[x.Base()]++
			}
		}
	}
	for _, d := range list {
		if d.Kernel == ir.Fill {
			s := d.Tensors[0].Base()
			if s.Param == nil && !s.Keep && writers[s] == 1 && s.N <= mostHoisted {
				values[s] = slices.Repeat([]float32{d.Params.(ir.FillParams).Value}, s.N)
				continue
			}
		}
		rest = append(rest, d)
	}
	return rest, values
}
