package compute

import "slices"

// fuse takes rules of several kernels: what they record stands where the first of the
// dispatches stood.
func (l *lowering) fuse() error {
	for i := 0; i < len(l.list); i++ {
		for _, r := range l.tape.rulesOf(l.list[i].Kernel, Fuse) {
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
func (l *lowering) merge(r *Rule, i int) (bool, error) {
	t := l.tape
	if r.Suits != nil && !r.Suits(t.dev.info) {
		return false, nil
	}
	at := r.find(l.list, i)
	if at == nil {
		return false, nil
	}
	before, ok := makeWay(l.list, at)
	if !ok {
		return false, nil
	}
	var runs []Dispatch
	for _, j := range at {
		runs = append(runs, l.list[j])
	}
	list, ok := t.record(r, runs, false)
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
	if l.runs(Check) {
		if ok, err := t.dev.right(r, list); !ok || err != nil {
			return false, err
		}
	}
	note(t.switches.Taken, r.title())
	standFor(list, runs, rest)
	l.list = slices.Insert(rest, first, list...)
	for _, y := range sums {
		renamed(l.list, nil, y.base, t.add(&slot{name: y.base.name, zeroed: true, dtype: y.base.dtype}, y.shape))
	}
	return true, nil
}

// find is where dispatches of the rule's kernels stand in the list, the first one at i,
// or nil.
func (r *Rule) find(list []Dispatch, i int) []int {
	at := []int{i}
	for _, k := range r.Of[1:] {
		j := slices.IndexFunc(list[at[len(at)-1]+1:], func(d Dispatch) bool {
			return d.Kernel == k && slices.ContainsFunc(at, func(k int) bool { return list[k].feeds(&d) })
		})
		if j < 0 {
			return nil
		}
		at = append(at, at[len(at)-1]+1+j)
	}
	return at
}

// makeWay lists the dispatches that have to stand before the first of those at some
// places, so that the others of these can follow it at once, and reports whether they can:
// what these need of what stands between, and what that needs.
func makeWay(list []Dispatch, at []int) (before []int, ok bool) {
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
func does(list, runs, rest []Dispatch) bool {
	for _, s := range results(runs) {
		used := s.param != nil || s.keep || s.input || slices.ContainsFunc(rest, func(d Dispatch) bool { return d.uses(s) })
		if used && !slices.Contains(results(list), s) {
			return false
		}
		for i, d := range list {
			if d.uses(s) && !slices.Contains(results(list[:i+1]), s) {
				return false
			}
		}
	}
	return true
}

// summed lists the tensors to which a list adds first where the runs assign, which have to
// start at zero, and reports whether they can. It cannot be where the runs add and the list
// assigns.
func summed(list, runs []Dispatch) (sums []*Tensor, ok bool) {
	for _, s := range results(runs) {
		y, adds := start(list, s)
		_, added := start(runs, s)
		switch {
		case y == nil || adds == added:
		case added || s.param != nil || s.keep || s.zeroed:
			return nil, false
		default:
			sums = append(sums, y)
		}
	}
	return sums, true
}

// start is the tensor that the first dispatch which writes s has of it, and whether that
// adds to it.
func start(list []Dispatch, s *slot) (x *Tensor, adds bool) {
	for _, d := range list {
		for i, x := range d.Tensors {
			if d.writes(i) && x.base == s {
				return x, slices.Contains(d.Kernel.read().entry.Adds, d.binding(i).Name)
			}
		}
	}
	return nil, false
}

// results are the tensors that dispatches write, each once.
func results(list []Dispatch) (all []*slot) {
	for _, d := range list {
		for i, x := range d.Tensors {
			if d.writes(i) && !slices.Contains(all, x.base) {
				all = append(all, x.base)
			}
		}
	}
	return all
}

// feeds reports whether d writes what another dispatch uses.
func (d *Dispatch) feeds(other *Dispatch) bool {
	return slices.ContainsFunc(results([]Dispatch{*d}), other.uses)
}

// uses reports whether d reads or writes s.
func (d *Dispatch) uses(s *slot) bool {
	return slices.ContainsFunc(d.Tensors, func(x *Tensor) bool { return x.base == s })
}

// adds reports whether d's kernel adds to what it writes.
func (d *Dispatch) adds() bool { return slices.Contains(d.Kernel.read().entry.Consts, "accumulate") }

// written is the one tensor that d writes, or nil where there are more.
func (d *Dispatch) written() (x *Tensor) {
	for i, y := range d.Tensors {
		if d.writes(i) {
			if x != nil {
				return nil
			}
			x = y
		}
	}
	return x
}
