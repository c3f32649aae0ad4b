package pass

import (
	"maps"
	"slices"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
)

// placeAlign is the distance, in elements, that tensors in one buffer start at multiples
// of: 256 bytes of f16, the most that WebGPU's limit of offsets may be.
const placeAlign = 128

// batch makes one run of neighbouring runs of a kernel that works element by element
// (the note "each" of its entry point): the optimizer's, of all parameters. Their
// tensors get places in one buffer each, with gaps that the run works through as well.
// Runs whose parameters have other places on the device already stay as they are.
func (l *lowering) batch() error {
	list := l.list
	var out []ir.Dispatch
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && alike(&list[i], &list[j]) {
			j++
		}
		one, err := l.together(list, list[i:j])
		if err != nil {
			return err
		}
		if one != nil {
			out = append(out, *one)
		} else {
			out = append(out, list[i:j]...)
		}
		i = j
	}
	l.list = out
	return nil
}

// alike reports whether b could be part of a run with a.
func alike(a, b *ir.Dispatch) bool {
	if a.Kernel != b.Kernel || a.Kernel.Entry().Each == "" || a.Sized(0) != b.Sized(0) || !maps.Equal(a.Consts, b.Consts) || a.Row != b.Row || a.Uniform || b.Uniform {
		return false
	}
	for i, x := range a.Tensors {
		if y := b.Tensors[i]; x.Base().DType != y.Base().DType || !a.Elements(i) && x.Base() != y.Base() {
			return false
		}
	}
	return true
}

// mixed reports whether a dispatch reads some of the slots and writes others: WebGPU
// does not bind one buffer for both.
func mixed(list []ir.Dispatch, slots []*ir.Slot) bool {
	for _, d := range list {
		reads, writes := false, false
		for i, x := range d.Tensors {
			if slices.Contains(slots, x.Base()) {
				reads, writes = reads || !d.Writes(i), writes || d.Writes(i)
			}
		}
		if reads && writes {
			return true
		}
	}
	return false
}

// together is one run for all of runs, of list, or nil where there is none.
func (l *lowering) together(list, runs []ir.Dispatch) (*ir.Dispatch, error) {
	p := l.place
	if len(runs) < 2 {
		return nil, nil
	}
	one := runs[0]
	one.Tensors = slices.Clone(one.Tensors)
	n := 0
	var offsets []int
	for _, d := range runs {
		n = (n + placeAlign - 1) / placeAlign * placeAlign
		offsets = append(offsets, n)
		size, ok := d.Kernel.Lookup(d.Params)(d.Kernel.Entry().Each)
		if !ok {
			return nil, nil
		}
		n += size
	}
	limits := l.dev.Info().Limits
	if uint64(n)*4 > min(limits.StorageBindingSize, limits.BufferSize) {
		return nil, nil
	}
	members := map[int][]*ir.Slot{} // by tensor of the run
	seen := map[*ir.Slot]bool{}
	for i := range one.Tensors {
		if !one.Elements(i) {
			continue
		}
		for _, d := range runs {
			s := d.Tensors[i].Base()
			size, _ := d.Kernel.Lookup(d.Params)(d.Kernel.Entry().Each)
			if seen[s] || s.Input || l.values[s] != nil || s.DType == ir.U32 || s.DType == ir.F16 && s.Param != nil || s.N != size || (s.Param == nil) != (runs[0].Tensors[i].Base().Param == nil) {
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
	if sample.Params = one.Sized(n); l.dev.FailsMerged(&sample, l.bake(), runs) {
		return nil, nil
	}
	// First those that may be refused: tensors that have places already.
	for i, slots := range members {
		whole, ok := held(slots, p.Buffers, offsets, n+p.Guard)
		if !ok {
			return nil, nil
		}
		if whole != nil {
			one.Tensors[i] = p.whole(whole, one.Binding(i).Name, slots, offsets)
			delete(members, i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(members)) {
		if members[i][0].Param == nil || p.Guard > 0 {
			continue
		}
		var params []*ir.Param
		for _, s := range members[i] {
			params = append(params, s.Param)
		}
		if !l.dev.CanHold(params, offsets, n) {
			return nil, nil
		}
	}
	for _, i := range slices.Sorted(maps.Keys(members)) {
		var parts []*engine.Buffer
		var err error
		if members[i][0].Param != nil && p.Guard == 0 {
			var params []*ir.Param
			for _, s := range members[i] {
				params = append(params, s.Param)
			}
			parts, err = l.dev.UseTogether(params, offsets, n)
			if err == nil {
				p.Params = append(p.Params, params...)
			}
		} else if parts, err = l.dev.AllocTogether(p.Name, one.Binding(i).Name, members[i], offsets, n+p.Guard); err == nil {
			for k, s := range members[i] {
				p.Owned[s] = parts[k]
			}
		}
		if err != nil {
			return nil, err
		}
		for k, s := range members[i] {
			p.Buffers[s] = parts[k]
		}
		one.Tensors[i] = p.whole(parts[0].Parent, one.Binding(i).Name, members[i], offsets)
	}
	one.Params, one.Plain, one.Merged = one.Sized(n), runs, ir.Batch
	return &one, nil
}

// held is the buffer in which slots have places already, at the offsets, or nil where
// none has a place; ok is false where they have others.
func held(slots []*ir.Slot, all map[*ir.Slot]*engine.Buffer, offsets []int, n int) (whole *engine.Buffer, ok bool) {
	if first := all[slots[0]]; first != nil {
		whole = first.Parent
	}
	for k, s := range slots {
		b := all[s]
		if whole == nil && b != nil || whole != nil && (b == nil || b.Parent != whole || b.Offset != offsets[k]) {
			return nil, false
		}
	}
	return whole, whole == nil || whole.N == n
}

// whole is all of b, in which slots have places, but for the guard; all gets its place.
func (p *Placement) whole(b *engine.Buffer, name string, slots []*ir.Slot, offsets []int) *ir.Tensor {
	s := &ir.Slot{Name: name, N: b.N - p.Guard, DType: b.DType}
	for k, part := range slots {
		s.Members = append(s.Members, ir.Member{Slot: part, At: offsets[k]})
	}
	p.Buffers[s] = b
	if p.Guard > 0 {
		p.Wholes[s] = b
	}
	return ir.View(s, s.N)
}
