package pass

import (
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// Plan finds the tensors that may share memory: those that belong to the program
// alone and have no place, between the first dispatch that uses one and the last. It returns the
// storage of each, and how many words of 4 bytes each storage holds. A dispatch never gets
// one storage twice, since all its tensors are in use at once.
func Plan(list []ir.Dispatch, placed func(*ir.Slot) bool) (storage map[*ir.Slot]int, sizes []int) {
	type life struct {
		*ir.Slot
		first, last int
	}
	var lives []*life
	at := map[*ir.Slot]*life{}
	for i, d := range list {
		for _, x := range d.Tensors {
			s := x.Base()
			if s.Param != nil || s.Input || s.Keep || placed(s) {
				continue
			}
			if at[s] == nil {
				at[s] = &life{s, i, i}
				lives = append(lives, at[s])
			}
			at[s].last = i
		}
	}
	// The largest choose first, each the fullest storage whose tensors are of other
	// times: a storage is then as large as its first tensor.
	slices.SortStableFunc(lives, func(a, b *life) int { return b.Words() - a.Words() })
	storage = map[*ir.Slot]int{}
	var held [][]*life
	for _, l := range lives {
		place := slices.IndexFunc(held, func(others []*life) bool {
			return !slices.ContainsFunc(others, func(o *life) bool { return l.first <= o.last && o.first <= l.last })
		})
		if place < 0 {
			place = len(held)
			held, sizes = append(held, nil), append(sizes, l.Words())
		}
		held[place] = append(held[place], l)
		storage[l.Slot] = place
	}
	return storage, sizes
}
