package pass

import (
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
)

// fuse takes rules of several kernels: what they record stands where the first of the
// dispatches stood.
func (l *lowering) fuse() error {
	for i := 0; i < len(l.list); i++ {
		for _, r := range l.tape.RulesOf(l.list[i].Kernel, ir.Fuse) {
			fewer, err := l.merge(r, i)
			if err != nil {
				return err
			}
			if fewer {
				i-- // which may be the first of others
				break
			}
		}
	}
	return nil
}

// merge takes a rule whose first dispatch is number i of the list, where it can and that
// makes the list shorter.
func (l *lowering) merge(r *ir.Rule, i int) (bool, error) {
	t := l.tape
	if r.Suits != nil && !r.Suits(l.dev.Info()) {
		return false, nil
	}
	at := find(r, l.list, i)
	if at == nil {
		return false, nil
	}
	before, ok := mustPrecede(l.list, at)
	if !ok {
		return false, nil
	}
	var runs []ir.Dispatch
	for _, j := range at {
		runs = append(runs, l.list[j])
	}
	list, ok := t.Record(r, runs, false)
	if !ok || len(list) >= len(runs) {
		return false, nil
	}
	rest := slices.Clone(l.list[:i])
	for _, m := range before {
		rest = append(rest, l.list[m])
	}
	first := len(rest)
	for m := i + 1; m < len(l.list); m++ {
		if !slices.Contains(at, m) && !slices.Contains(before, m) {
			rest = append(rest, l.list[m])
		}
	}
	if !does(list, runs, rest) {
		return false, nil
	}
	sums, ok := summed(list, runs)
	if !ok {
		return false, nil
	}
	if l.runs(ir.Check) {
		if ok, err := l.dev.Right(r, t.Device(), list); !ok || err != nil {
			return false, err
		}
	}
	ir.Note(t.Switches().Taken, r.Title())
	ir.StandFor(list, runs, rest)
	l.list = slices.Insert(rest, first, list...)
	for _, y := range sums {
		ir.Renamed(l.list, nil, y.Base(), t.Add(&ir.Slot{Name: y.Base().Name, Zeroed: true, DType: y.Base().DType}, y.Shape()))
	}
	return true, nil
}

// find is where dispatches of the rule's kernels stand in the list, the first one at i,
// or nil.
func find(r *ir.Rule, list []ir.Dispatch, i int) []int {
	at := []int{i}
	for _, k := range r.Of[1:] {
		j := slices.IndexFunc(list[at[len(at)-1]+1:], func(d ir.Dispatch) bool {
			return d.Kernel == k && slices.ContainsFunc(at, func(k int) bool { return list[k].Feeds(&d) })
		})
		if j < 0 {
			return nil
		}
		at = append(at, at[len(at)-1]+1+j)
	}
	return at
}

// mustPrecede lists the dispatches that have to stand before the first of those at some
// places, so that the others of these can follow it at once, and reports whether they can:
// what these need of what stands between, and what that needs.
func mustPrecede(list []ir.Dispatch, at []int) (before []int, ok bool) {
	for m := at[len(at)-1] - 1; m > at[0]; m-- {
		meets := func(j int) bool { return conflict(&list[j], &list[m], nil) }
		behind := func(j int) bool { return j > m && meets(j) }
		if slices.Contains(at, m) || !slices.ContainsFunc(at, behind) && !slices.ContainsFunc(before, behind) {
			continue
		}
		if slices.ContainsFunc(at, func(j int) bool { return j < m && meets(j) }) {
			return nil, false
		}
		before = append(before, m)
	}
	slices.Reverse(before)
	return before, true
}

// does reports whether a list does the work of runs: it writes what they write, as far as
// anybody else uses that, and reads nothing that they write but what it has written.
func does(list, runs, rest []ir.Dispatch) bool {
	for _, s := range ir.Results(runs) {
		used := s.Param != nil || s.Keep || s.Input || slices.ContainsFunc(rest, func(d ir.Dispatch) bool { return d.Uses(s) })
		if used && !slices.Contains(ir.Results(list), s) {
			return false
		}
		for i, d := range list {
			if d.Uses(s) && !slices.Contains(ir.Results(list[:i+1]), s) {
				return false
			}
		}
	}
	return true
}

// summed lists the tensors to which a list adds first where the runs assign, which have to
// start at zero, and reports whether they can. It cannot be where the runs add and the list
// assigns.
func summed(list, runs []ir.Dispatch) (sums []*ir.Tensor, ok bool) {
	for _, s := range ir.Results(runs) {
		y, adds := start(list, s)
		_, added := start(runs, s)
		switch {
		case y == nil || adds == added:
		case added || s.Param != nil || s.Keep || s.Zeroed:
			return nil, false
		default:
			sums = append(sums, y)
		}
	}
	return sums, true
}

// start is the tensor that the first dispatch which writes s has of it, and whether that
// adds to it.
func start(list []ir.Dispatch, s *ir.Slot) (x *ir.Tensor, adds bool) {
	for _, d := range list {
		for i, x := range d.Tensors {
			if d.Writes(i) && x.Base() == s {
				return x, slices.Contains(d.Kernel.Entry().Adds, d.Binding(i).Name)
			}
		}
	}
	return nil, false
}
