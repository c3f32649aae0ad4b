package pass

import (
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// overwrite takes rules that write one tensor over another. Neither may be seen by the
// host or stand for a constant, nobody may read the first afterwards, or have used the
// second before, and the kernel must not add to what it writes: both then have one place
// in memory.
func (l *lowering) overwrite() error {
	l.list = slices.Clone(l.list)
	for i := range l.list {
		for _, r := range l.tape.RulesOf(l.list[i].Kernel, ir.Overwrite) {
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
func (l *lowering) over(r *ir.Rule, i int) (bool, error) {
	t, d := l.tape, l.list[i]
	if r.Suits != nil && !r.Suits(l.dev.Info()) || d.Adds() && d.Consts["accumulate"] != "false" {
		return false, nil
	}
	from, to := d.Named(r.Over[0]), d.Named(r.Over[1])
	x, y := from.Base(), to.Base()
	ours := func(s *ir.Slot) bool { return s.Param == nil && !s.Keep && !s.Input && l.values[s] == nil }
	uses := func(s *ir.Slot) func(ir.Dispatch) bool { return func(d ir.Dispatch) bool { return d.Uses(s) } }
	if !ours(x) || !ours(y) || x.N != y.N || x.DType != y.DType || slices.ContainsFunc(l.list[i+1:], uses(x)) || slices.ContainsFunc(l.list[:i], uses(y)) {
		return false, nil
	}
	list, ok := t.Record(r, []ir.Dispatch{d}, false)
	if !ok || len(list) != 1 {
		return false, nil
	}
	if l.runs(ir.Check) {
		if ok, err := l.dev.Right(r, t.Device(), list); !ok || err != nil {
			return false, err
		}
	}
	ir.Note(t.Switches().Taken, r.Title())
	own := ir.StandFor(list, []ir.Dispatch{d}, nil)
	own.Over[y] = x
	l.list[i] = list[0]
	ir.Renamed(l.list[i+1:], own, y, ir.View(x, to.Shape()...))
	return true, nil
}
