package compute

import (
	"fmt"
	"slices"
)

// overwrite takes rules that write one tensor over another. Neither may be seen by the
// host or stand for a constant, nobody may read the first afterwards, or have used the
// second before, and the kernel must not add to what it writes: both then have one place
// in memory.
func (l *lowering) overwrite() error {
	l.list = slices.Clone(l.list)
	for i := range l.list {
		for _, r := range l.tape.rulesOf(l.list[i].Kernel, Overwrite) {
			taken, err := l.over(r, i)
			if err != nil {
				return err
			}
			if taken {
				break
			}
		}
	}
	return nil
}

// over takes a rule for dispatch i, where it can, and reports whether it did.
func (l *lowering) over(r *Rule, i int) (bool, error) {
	t, d := l.tape, l.list[i]
	if r.Suits != nil && !r.Suits(t.dev.info) || d.adds() && d.Consts["accumulate"] != "false" {
		return false, nil
	}
	from, to := d.named(r.Over[0]), d.named(r.Over[1])
	x, y := from.base, to.base
	ours := func(s *slot) bool { return s.param == nil && !s.keep && !s.input && l.values[s] == nil }
	uses := func(s *slot) func(Dispatch) bool { return func(d Dispatch) bool { return d.uses(s) } }
	if !ours(x) || !ours(y) || x.n != y.n || x.dtype != y.dtype || slices.ContainsFunc(l.list[i+1:], uses(x)) || slices.ContainsFunc(l.list[:i], uses(y)) {
		return false, nil
	}
	list, ok := t.record(r, []Dispatch{d}, false)
	if !ok || len(list) != 1 {
		return false, nil
	}
	if l.runs(Check) {
		if ok, err := t.dev.right(r, list); !ok || err != nil {
			return false, err
		}
	}
	note(t.switches.Taken, r.title())
	own := standFor(list, []Dispatch{d}, nil)
	own.over[y] = x
	l.list[i] = list[0]
	renamed(l.list[i+1:], own, y, &Tensor{tape: t, shape: to.shape, dtype: x.dtype, base: x})
	return true, nil
}

// named is the tensor that the shader calls so. It panics where there is none.
func (d *Dispatch) named(name string) *Tensor {
	for i := range d.Tensors {
		if d.binding(i).Name == name {
			return d.Tensors[i]
		}
	}
	panic(fmt.Sprintf("compute: kernel %s has no tensor %s", d.Kernel.name, name))
}
