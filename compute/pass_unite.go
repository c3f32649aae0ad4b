package compute

import "slices"

// Union says that one run of a kernel can do what runs of others do one after the other.
type Union struct {
	// Parts are the kernels of those runs, in their order. Each but the first reads what
	// one before it wrote.
	Parts []*Kernel
	// Merge returns the params and tensors of a run that does what the runs, one of each
	// part, do, and whether there is one. What that does not write of theirs nobody else
	// may use.
	Merge func(runs []Dispatch) (params any, tensors []*Tensor, ok bool)
}

// Unite adds a union whose runs k does. A program has k in the place of the parts where
// nothing between them stands in the way, and where k has passed its test on the device
// (see Device.Refused).
func (k *Kernel) Unite(u Union) {
	first := u.Parts[0]
	first.unions = append(first.unions, union{u, k})
}

type union struct {
	Union
	kernel *Kernel
}

// unite puts one run in the place of several, where the first of them stands. With check
// it tests the kernels that it takes, and leaves out those that are wrong.
func (t *Tape) unite(list []Dispatch, check bool) ([]Dispatch, error) {
	for i := 0; i < len(list); i++ {
		for _, u := range list[i].Kernel.unions {
			one, rest, ok := u.take(list, i)
			if !ok || !u.kernel.RunsOn(t.dev) {
				continue
			}
			if check {
				if reason, ok := t.dev.condemned([]Dispatch{one})[u.kernel]; ok {
					t.dev.warn(list[i].Kernel.name, u.kernel.name, reason)
					continue
				}
			}
			list = rest
			break
		}
	}
	return list, nil
}

// take is a run in the place of the union's parts, of which dispatch i of the list is the
// first, and the list with it.
func (u *union) take(list []Dispatch, i int) (one Dispatch, rest []Dispatch, ok bool) {
	at := u.find(list, i)
	if at == nil {
		return one, nil, false
	}
	before, ok := makeWay(list, at)
	if !ok {
		return one, nil, false
	}
	var runs []Dispatch
	for _, j := range at {
		runs = append(runs, list[j])
	}
	params, tensors, ok := u.Merge(runs)
	if !ok {
		return one, nil, false
	}
	one = Dispatch{Kernel: u.kernel, Params: params, Tensors: tensors, scope: list[i].scope}
	rest = slices.Clone(list[:i])
	for _, m := range before {
		rest = append(rest, list[m])
	}
	rest = append(rest, one)
	for m := i + 1; m < len(list); m++ {
		if !slices.Contains(at, m) && !slices.Contains(before, m) {
			rest = append(rest, list[m])
		}
	}
	return one, rest, !lost(runs, one, rest)
}

// find is where the union's parts stand in the list, the first one at i, or nil.
func (u *union) find(list []Dispatch, i int) []int {
	at := []int{i}
	for _, part := range u.Parts[1:] {
		j := slices.IndexFunc(list[at[len(at)-1]+1:], func(d Dispatch) bool {
			return d.Kernel == part && slices.ContainsFunc(at, func(k int) bool { return list[k].feeds(&d) })
		})
		if j < 0 {
			return nil
		}
		at = append(at, at[len(at)-1]+1+j)
	}
	return at
}

// feeds reports whether d writes what another dispatch uses.
func (d *Dispatch) feeds(other *Dispatch) bool {
	for i, x := range d.Tensors {
		if d.writes(i) && other.uses(x.base) {
			return true
		}
	}
	return false
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

// lost reports whether somebody uses what the runs wrote and the one in their place does
// not.
func lost(runs []Dispatch, one Dispatch, rest []Dispatch) bool {
	for _, d := range runs {
		for i, x := range d.Tensors {
			s := x.base
			if d.writes(i) && !one.uses(s) && (s.param != nil || s.keep || s.input || slices.ContainsFunc(rest, func(d Dispatch) bool { return d.uses(s) })) {
				return true
			}
		}
	}
	return false
}
