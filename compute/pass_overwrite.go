package compute

import (
	"fmt"
	"slices"
)

// overwriting says that a kernel can do what another does with one tensor less.
type overwriting struct {
	from, to int // tensors of the other kernel: what it reads, and what it writes
	kernel   *Kernel
}

// Overwrite says that over does what k does, with the same params and tensors but for
// the one called from: that one's values stand, before, in the one called to. Each
// invocation reads of them only what it writes itself. A program takes over where
// nobody reads from afterwards, and k does not add to what it writes: both then have
// one place in memory. It panics where k has no such tensors.
func (k *Kernel) Overwrite(from, to string, over *Kernel) {
	at := func(name string) int {
		for i, b := range k.read().entry.Bindings {
			if b.Name == name {
				return i
			}
		}
		panic(fmt.Sprintf("compute: kernel %s has no tensor %s", k.name, name))
	}
	k.over = &overwriting{at(from), at(to), over}
}

// overwrite takes kernels that overwrite.
func overwrite(list []Dispatch, values map[*slot][]float32) []Dispatch {
	list = slices.Clone(list)
	for i := range list {
		d := &list[i]
		o := d.Kernel.over
		if o == nil || d.adds() && d.Consts["accumulate"] != "false" {
			continue
		}
		x, y := d.Tensors[o.from].base, d.Tensors[o.to].base
		own := func(s *slot) bool { return s.param == nil && !s.keep && !s.input && values[s] == nil }
		uses := func(s *slot) func(Dispatch) bool { return func(d Dispatch) bool { return d.uses(s) } }
		if !own(x) || !own(y) || x.n != y.n || x.dtype != y.dtype || slices.ContainsFunc(list[i+1:], uses(x)) || slices.ContainsFunc(list[:i], uses(y)) {
			continue
		}
		fresh := &Tensor{tape: d.Tensors[o.to].tape, shape: d.Tensors[o.to].shape, dtype: x.dtype, base: x}
		tensors := slices.Clone(d.Tensors)
		tensors[o.to] = fresh
		*d = Dispatch{Kernel: o.kernel, Params: d.Params, Tensors: slices.Delete(tensors, o.from, o.from+1), scope: d.scope, row: d.row}
		for k := i + 1; k < len(list); k++ {
			list[k] = list[k].with(y, fresh)
		}
	}
	return list
}
