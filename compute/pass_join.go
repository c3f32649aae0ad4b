package compute

import (
	"slices"
	"strconv"

	"github.com/pumice-ml/pumice/internal/shader"
)

// join makes one dispatch of several that do not depend on each other (see shader.Join),
// and returns the list in its new order. It is for dispatches that are too small to keep
// a device busy, or whose cost is that of being dispatched. It looks from the first
// dispatch on and from the last one back, and takes what makes fewer launches.
func (t *Tape) join(list []Dispatch, buffers map[*slot]*buffer) ([]Dispatch, error) {
	launches := t.gather(list, buffers, false)
	list = slices.Clone(list)
	slices.Reverse(list)
	if back := t.gather(list, buffers, true); len(back) < len(launches) {
		slices.Reverse(back)
		for _, l := range back {
			slices.Reverse(l)
		}
		launches = back
	}
	var joined []Dispatch
	for _, l := range launches {
		if len(l) == 1 {
			joined = append(joined, l[0])
			continue
		}
		one, err := t.dev.joined(l)
		if err != nil {
			return nil, err
		}
		if t.dev.fails(&one, true) {
			joined = append(joined, l...)
			continue
		}
		joined = append(joined, one)
	}
	return joined, nil
}

// gather makes launches of a list, in its order or in its reverse. Of those that could
// take a dispatch it takes the nearest to it, or the furthest.
func (t *Tape) gather(list []Dispatch, buffers map[*slot]*buffer, furthest bool) (launches [][]Dispatch) {
	apart := func(from int, group []Dispatch) bool { // no launch from there on depends on the group, or it on one
		return !slices.ContainsFunc(launches[from:], func(l []Dispatch) bool { return conflicts(l, group, buffers) })
	}
	for _, d := range list {
		group := []Dispatch{d}
		at := -1
		if t.joinable(&d) {
			// An earlier launch takes d, or d takes one that can wait.
			for i := len(launches) - 1; i >= 0 && (at < 0 || furthest) && !conflicts(launches[i], group, buffers); i-- {
				if t.together(launches[i], group, buffers) {
					at = i
				}
			}
			for i := len(launches) - 1; i >= 0 && at < 0; i-- {
				l := launches[i]
				if apart(i+1, l) && !conflicts(l, group, buffers) && t.together(l, group, buffers) {
					launches = slices.Delete(launches, i, i+1)
					launches = append(launches, l)
					at = len(launches) - 1
				}
			}
		}
		if at < 0 {
			launches = append(launches, group)
			continue
		}
		launches[at] = append(slices.Clip(launches[at]), d)
	}
	return launches
}

func conflicts(a, b []Dispatch, buffers map[*slot]*buffer) bool {
	return slices.ContainsFunc(a, func(x Dispatch) bool {
		return slices.ContainsFunc(b, func(y Dispatch) bool { return conflict(&x, &y, buffers) })
	})
}

// conflict reports whether one of the dispatches writes what the other uses.
func conflict(a, b *Dispatch, buffers map[*slot]*buffer) bool {
	for i, x := range a.Tensors {
		for k, y := range b.Tensors {
			if (a.writes(i) || b.writes(k)) && overlap(x.base, y.base, buffers) {
				return true
			}
		}
	}
	return false
}

// overlap reports whether two tensors have elements in common: they are one, or one is
// a buffer and the other a part of it.
func overlap(a, b *slot, buffers map[*slot]*buffer) bool {
	x, y := buffers[a], buffers[b]
	return a == b || x != nil && y != nil && (x == y || x.parent == y || y.parent == x)
}

// joinedGroups is the most workgroups of a dispatch that shares a launch: those of
// longer ones are worth a launch, and each workgroup passes the others' code.
const joinedGroups = 1024

// joinable reports whether d can be part of a launch of several dispatches.
func (t *Tape) joinable(d *Dispatch) bool {
	groups, err := d.grid(int(t.dev.info.Limits.WorkgroupsPerDimension))
	n := uint64(groups[0]) * uint64(groups[1]) * uint64(groups[2])
	return err == nil && n > 0 && n <= joinedGroups && d.row == 0 && !d.uniform && d.Kernel.read().shader.Joinable(d.Kernel.read().entry)
}

// together reports whether a launch can take the dispatches of both groups: workgroups
// of one size, or of one invocation; no more buffers than the device binds; and none
// that some write and others only read, which WebGPU forbids even where they are
// different parts.
func (t *Tape) together(a, b []Dispatch, buffers map[*slot]*buffer) bool {
	all := append(slices.Clip(a), b...)
	block := 1
	for i := range all {
		if !t.joinable(&all[i]) {
			return false
		}
		if size := all[i].Kernel.read().entry.Workgroup[0]; size > 1 {
			if block > 1 && size != block {
				return false
			}
			block = size
		}
	}
	if !oneAccess(all, buffers) {
		return false
	}
	bound, _ := bindAll(all)
	return len(bound) <= int(t.dev.info.Limits.StorageBuffersPerStage)
}

// oneAccess reports whether the dispatches only read, or only write, each buffer that
// they bind, as WebGPU wants it of a launch. Where another program gave parameters places
// in one buffer, that does not count here: what is merged does not depend on what
// was compiled before (see gpu.build).
func oneAccess(all []Dispatch, buffers map[*slot]*buffer) bool {
	written := map[any]bool{}
	for i := range all {
		for k, x := range all[i].Tensors {
			var key any = x.base
			if b := buffers[x.base]; b != nil {
				if key = b; b.parent != nil {
					key = b.parent
				}
			}
			if w, ok := written[key]; ok && w != all[i].writes(k) {
				return false
			}
			written[key] = all[i].writes(k)
		}
	}
	return true
}

// bindAll numbers the tensors that a launch binds, and gives the numbers that each
// dispatch has for its own.
func bindAll(list []Dispatch) (bound []*Tensor, numbers [][]int) {
	var types []string
	for i := range list {
		var own []int
		for k, x := range list[i].Tensors {
			b := list[i].binding(k)
			at := -1
			for j, y := range bound {
				if y.base == x.base && types[j] == b.Type {
					at = j
				}
			}
			if at < 0 {
				at = len(bound)
				bound, types = append(bound, x), append(types, b.Type)
			}
			own = append(own, at)
		}
		numbers = append(numbers, own)
	}
	return bound, numbers
}

// joined is one dispatch for the list, of a kernel made for it.
func (d *Device) joined(list []Dispatch) (one Dispatch, err error) {
	bound, numbers := bindAll(list)
	bindings := make([]shader.Binding, len(bound))
	k := &Kernel{pc: list[0].Kernel.pc, shader: &shader.Shader{Name: "join"}}
	var parts []shader.Part
	var flops int64
	for i := range list {
		part := &list[i]
		grid, err := part.grid(int(d.info.Limits.WorkgroupsPerDimension))
		if err != nil {
			return one, err
		}
		text, err := part.text(true)
		if err != nil {
			return one, err
		}
		n, err := part.flops(grid)
		if err != nil {
			return one, err
		}
		flops += n
		parts = append(parts, shader.Part{Shader: part.Kernel.read().shader, Entry: part.Kernel.read().entry, Text: text, Groups: grid, Bindings: numbers[i]})
		for j, number := range numbers[i] {
			bindings[number] = part.binding(j)
			bindings[number].Number = number
		}
		k.parts = append(k.parts, part.Kernel)
	}
	text, groups, block, err := shader.Join(parts)
	if err != nil {
		return one, err
	}
	k.name, k.joined = names(k.parts), text
	k.entry = shader.Entry{
		Name: "join", Workgroup: [3]int{block, 1, 1}, Bindings: bindings,
		Size: []string{strconv.Itoa(groups)}, Groups: true, Flops: strconv.FormatInt(flops, 10),
	}
	return Dispatch{Kernel: k, Tensors: bound, scope: scopes(list), plain: list, merged: Join}, nil
}
