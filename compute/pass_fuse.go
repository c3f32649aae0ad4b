package compute

import "slices"

// Fusion says that one run of a kernel can do what a run of another does with its
// result, so that the result need not be kept.
type Fusion struct {
	Then *Kernel
	// Merge returns the params and tensors of a run of the first kernel that does
	// both, with y in the place of what it wrote, and whether there is one.
	Merge func(first, then *Dispatch, y *Tensor) (params any, tensors []*Tensor, ok bool)
}

// Absorb adds a fusion of k with a kernel that reads what k writes. Both write one
// tensor. Where k adds to what it writes, the run of both adds first and does the rest
// with the sum, unless the other kernel adds as well: then it adds last.
func (k *Kernel) Absorb(f Fusion) { k.fusions = append(k.fusions, f) }

// fuse merges runs whose result one other run reads, and nobody else.
func (t *Tape) fuse(list []Dispatch) []Dispatch {
	for i := 0; i < len(list); i++ {
		for _, f := range list[i].Kernel.fusions {
			j, merged, old, fresh := t.merge(list, i, f)
			if j < 0 {
				continue
			}
			list = slices.Clone(list)
			list[j] = merged
			list = slices.Delete(list, i, i+1)
			if fresh != nil {
				for k := range list {
					list[k] = list[k].with(old, fresh)
				}
			}
			i--
			break
		}
	}
	return list
}

// merge is one run for dispatch i and the one, j, that reads its result; j is -1 where
// there is none. Where the run adds, and the second did not, what it wrote becomes a
// tensor that starts at zero: fresh in place of old.
func (t *Tape) merge(list []Dispatch, i int, f Fusion) (j int, merged Dispatch, old *slot, fresh *Tensor) {
	none := func() (int, Dispatch, *slot, *Tensor) { return -1, Dispatch{}, nil, nil }
	first := &list[i]
	x := first.written()
	if x == nil || x.base.param != nil || x.base.keep || x.base.input || first.adds() && !x.base.zeroed {
		return none()
	}
	j = -1
	for k := range list {
		if k == i || !list[k].uses(x.base) {
			continue
		}
		if j >= 0 || k < i || list[k].Kernel != f.Then {
			return none()
		}
		j = k
	}
	if j < 0 {
		return none()
	}
	then := &list[j]
	y := then.written()
	if y == nil || y.base == x.base || then.adds() && !first.adds() {
		return none()
	}
	for _, d := range list[i+1 : j] { // the first run moves behind these
		for k, z := range d.Tensors {
			if d.writes(k) && first.uses(z.base) {
				return none()
			}
		}
	}
	if first.adds() && !then.adds() {
		if y.base.param != nil || y.base.keep || y.base.zeroed {
			return none()
		}
		old = y.base
		fresh = t.add(&slot{name: old.name, zeroed: true, dtype: old.dtype}, y.shape)
		y = fresh
	}
	params, tensors, ok := f.Merge(first, then, y)
	if !ok {
		return none()
	}
	return j, Dispatch{Kernel: first.Kernel, Params: params, Tensors: tensors, scope: first.scope}, old, fresh
}

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

// uses reports whether d reads or writes s.
func (d *Dispatch) uses(s *slot) bool {
	return slices.ContainsFunc(d.Tensors, func(x *Tensor) bool { return x.base == s })
}

// adds reports whether d's kernel adds to what it writes.
func (d *Dispatch) adds() bool { return slices.Contains(d.Kernel.read().entry.Consts, "accumulate") }

// with is d with views of fresh in the place of those of old.
func (d Dispatch) with(old *slot, fresh *Tensor) Dispatch {
	if !d.uses(old) {
		return d
	}
	d.Tensors = slices.Clone(d.Tensors)
	for i, x := range d.Tensors {
		if x.base == old {
			d.Tensors[i] = &Tensor{tape: x.tape, shape: x.shape, dtype: fresh.dtype, base: fresh.base}
		}
	}
	return d
}
