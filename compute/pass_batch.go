package compute

import (
	"maps"
	"reflect"
	"slices"
)

// apart is the distance, in elements, that tensors in one buffer start at multiples
// of: 256 bytes of f16, the most that WebGPU's limit of offsets may be.
const apart = 128

// batch makes one run of neighbouring runs of a kernel that works element by element
// (the note "each" of its entry point): the optimizer's, of all parameters. Their
// tensors get places in one buffer each, with gaps that the run works through as well.
// Runs whose parameters have other places on the device already stay as they are.
func (p *Program) batch(list []Dispatch, all map[*slot]*buffer) ([]Dispatch, error) {
	var out []Dispatch
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && alike(&list[i], &list[j]) {
			j++
		}
		one, err := p.together(list, list[i:j], all)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out = append(out, *one)
		} else {
			out = append(out, list[i:j]...)
		}
		i = j
	}
	return out, nil
}

// elements reports whether tensor i of d has an element for each invocation.
func (d *Dispatch) elements(i int) bool {
	return slices.Equal(d.Kernel.read().shader.Shapes()[d.binding(i).Name], []string{d.Kernel.read().entry.Each})
}

// sized is d's params with n elements.
func (d *Dispatch) sized(n int) any {
	p := reflect.New(d.Kernel.params).Elem()
	p.Set(reflect.ValueOf(d.Params))
	for i, f := range d.Kernel.read().shader.Params {
		if f.Name == d.Kernel.read().entry.Each {
			p.Field(i).SetUint(uint64(n))
		}
	}
	return p.Interface()
}

// alike reports whether b could be part of a run with a.
func alike(a, b *Dispatch) bool {
	if a.Kernel != b.Kernel || a.Kernel.entry.Each == "" || a.sized(0) != b.sized(0) || !maps.Equal(a.Consts, b.Consts) || a.row != b.row || a.uniform || b.uniform {
		return false
	}
	for i, x := range a.Tensors {
		if y := b.Tensors[i]; x.base.dtype != y.base.dtype || !a.elements(i) && x.base != y.base {
			return false
		}
	}
	return true
}

// mixed reports whether a dispatch reads some of the slots and writes others: WebGPU
// does not bind one buffer for both.
func mixed(list []Dispatch, slots []*slot) bool {
	for _, d := range list {
		reads, writes := false, false
		for i, x := range d.Tensors {
			if slices.Contains(slots, x.base) {
				reads, writes = reads || !d.writes(i), writes || d.writes(i)
			}
		}
		if reads && writes {
			return true
		}
	}
	return false
}

// together is one run for all of runs, of list, or nil where there is none.
func (p *Program) together(list, runs []Dispatch, all map[*slot]*buffer) (*Dispatch, error) {
	if len(runs) < 2 {
		return nil, nil
	}
	one := runs[0]
	one.Tensors = slices.Clone(one.Tensors)
	n := 0
	var offsets []int
	for _, d := range runs {
		n = (n + apart - 1) / apart * apart
		offsets = append(offsets, n)
		size, ok := d.Kernel.lookup(d.Params)(d.Kernel.read().entry.Each)
		if !ok {
			return nil, nil
		}
		n += size
	}
	limits := p.dev.info.Limits
	if uint64(n)*4 > min(limits.StorageBindingSize, limits.BufferSize) {
		return nil, nil
	}
	members := map[int][]*slot{} // by tensor of the run
	seen := map[*slot]bool{}
	for i := range one.Tensors {
		if !one.elements(i) {
			continue
		}
		for _, d := range runs {
			s := d.Tensors[i].base
			size, _ := d.Kernel.lookup(d.Params)(d.Kernel.read().entry.Each)
			if seen[s] || s.input || p.values[s] != nil || s.dtype == U32 || s.dtype == F16 && s.param != nil || s.n != size || (s.param == nil) != (runs[0].Tensors[i].base.param == nil) {
				return nil, nil
			}
			seen[s] = true
			members[i] = append(members[i], s)
		}
	}
	for _, slots := range members {
		if mixed(list, slots) {
			return nil, nil
		}
	}
	sample := one
	if sample.Params = one.sized(n); p.dev.failsMerged(&sample, p.bake, runs) {
		return nil, nil
	}
	// First those that may be refused: tensors that have places already.
	for i, slots := range members {
		whole, ok := held(slots, all, offsets, n+p.guard)
		if !ok {
			return nil, nil
		}
		if whole != nil {
			one.Tensors[i] = p.whole(whole, one.binding(i).Name, slots, offsets, all)
			delete(members, i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(members)) {
		if members[i][0].param == nil || p.guard > 0 {
			continue
		}
		var params []*Param
		for _, s := range members[i] {
			params = append(params, s.param)
		}
		if !p.dev.canHold(params, offsets, n) {
			return nil, nil
		}
	}
	for _, i := range slices.Sorted(maps.Keys(members)) {
		var parts []*buffer
		var err error
		if members[i][0].param != nil && p.guard == 0 {
			var params []*Param
			for _, s := range members[i] {
				params = append(params, s.param)
			}
			parts, err = p.dev.useTogether(params, offsets, n)
			if err == nil {
				p.params = append(p.params, params...)
			}
		} else if parts, err = p.dev.allocTogether(p.name, one.binding(i).Name, members[i], offsets, n+p.guard); err == nil {
			for k, s := range members[i] {
				p.buffers[s] = parts[k]
			}
		}
		if err != nil {
			return nil, err
		}
		for k, s := range members[i] {
			all[s] = parts[k]
		}
		one.Tensors[i] = p.whole(parts[0].parent, one.binding(i).Name, members[i], offsets, all)
	}
	one.Params, one.plain, one.merged = one.sized(n), runs, Batch
	return &one, nil
}

// held is the buffer in which slots have places already, at the offsets, or nil where
// none has a place; ok is false where they have others.
func held(slots []*slot, all map[*slot]*buffer, offsets []int, n int) (whole *buffer, ok bool) {
	if first := all[slots[0]]; first != nil {
		whole = first.parent
	}
	for k, s := range slots {
		b := all[s]
		if whole == nil && b != nil || whole != nil && (b == nil || b.parent != whole || b.offset != offsets[k]) {
			return nil, false
		}
	}
	return whole, whole == nil || whole.n == n
}

// whole is all of b, in which slots have places, but for the guard; all gets its place.
func (p *Program) whole(b *buffer, name string, slots []*slot, offsets []int, all map[*slot]*buffer) *Tensor {
	s := &slot{name: name, n: b.n - p.guard, dtype: b.dtype}
	for k, part := range slots {
		s.members = append(s.members, member{part, offsets[k]})
	}
	all[s] = b
	if p.guard > 0 {
		p.wholes[s] = b
	}
	return &Tensor{shape: []int{s.n}, dtype: b.dtype, base: s}
}
