package pass

import (
	"slices"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
)

// join makes one dispatch of several that do not depend on each other (see shader.Join),
// and returns the list in its new order. It is for dispatches that are too small to keep
// a device busy, or whose cost is that of being dispatched. It looks from the first
// dispatch on and from the last one back, and takes what makes fewer launches.
func (l *lowering) join() error {
	if !l.bake() {
		return nil
	}
	list, buffers := slices.Clone(l.list), l.place.Buffers
	launches := l.gather(list, buffers, false)
	slices.Reverse(list)
	if back := l.gather(list, buffers, true); len(back) < len(launches) {
		slices.Reverse(back)
		for _, group := range back {
			slices.Reverse(group)
		}
		launches = back
	}
	l.list = nil
	for _, group := range launches {
		if len(group) == 1 {
			l.list = append(l.list, group[0])
			continue
		}
		one, err := ir.Joined(group, int(l.dev.Info().Limits.WorkgroupsPerDimension))
		if err != nil {
			return err
		}
		if l.dev.Fails(&one, true) {
			l.list = append(l.list, group...)
			continue
		}
		l.list = append(l.list, one)
	}
	return nil
}

// gather makes launches of a list, in its order or in its reverse. Of those that could
// take a dispatch it takes the nearest to it, or the furthest.
func (l *lowering) gather(list []ir.Dispatch, buffers map[*ir.Slot]*engine.Buffer, furthest bool) (launches [][]ir.Dispatch) {
	apart := func(from int, group []ir.Dispatch) bool { // no launch from there on depends on the group, or it on one
		return !slices.ContainsFunc(launches[from:], func(other []ir.Dispatch) bool { return conflicts(other, group, buffers) })
	}
	for _, d := range list {
		group := []ir.Dispatch{d}
		at := -1
		if l.joinable(&d) {
			// An earlier launch takes d, or d takes one that can wait.
			for i := len(launches) - 1; i >= 0 && (at < 0 || furthest) && !conflicts(launches[i], group, buffers); i-- {
				if l.shares(launches[i], group, buffers) {
					at = i
				}
			}
			for i := len(launches) - 1; i >= 0 && at < 0; i-- {
				other := launches[i]
				if apart(i+1, other) && !conflicts(other, group, buffers) && l.shares(other, group, buffers) {
					launches = slices.Delete(launches, i, i+1)
					launches = append(launches, other)
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

func conflicts(a, b []ir.Dispatch, buffers map[*ir.Slot]*engine.Buffer) bool {
	return slices.ContainsFunc(a, func(x ir.Dispatch) bool {
		return slices.ContainsFunc(b, func(y ir.Dispatch) bool { return conflict(&x, &y, buffers) })
	})
}

// conflict reports whether one of the dispatches writes what the other uses.
func conflict(a, b *ir.Dispatch, buffers map[*ir.Slot]*engine.Buffer) bool {
	for i, x := range a.Tensors {
		for k, y := range b.Tensors {
			if (a.Writes(i) || b.Writes(k)) && overlap(x.Base(), y.Base(), buffers) {
				return true
			}
		}
	}
	return false
}

// overlap reports whether two tensors have elements in common: they are one, or one is
// a buffer and the other a part of it.
func overlap(a, b *ir.Slot, buffers map[*ir.Slot]*engine.Buffer) bool {
	x, y := buffers[a], buffers[b]
	return a == b || x != nil && y != nil && (x == y || x.Parent == y || y.Parent == x)
}

// joinedGroups is the most workgroups of a dispatch that shares a launch: those of
// longer ones are worth a launch, and each workgroup passes the others' code.
const joinedGroups = 1024

// joinable reports whether d can be part of a launch of several dispatches.
func (l *lowering) joinable(d *ir.Dispatch) bool {
	groups, err := d.Grid(int(l.dev.Info().Limits.WorkgroupsPerDimension))
	n := uint64(groups[0]) * uint64(groups[1]) * uint64(groups[2])
	return err == nil && n > 0 && n <= joinedGroups && d.Row == 0 && !d.Uniform && d.Kernel.Shader().Joinable(d.Kernel.Entry())
}

// shares reports whether a launch can take the dispatches of both groups: workgroups
// of one size, or of one invocation; no more buffers than the device binds; and none
// that some write and others only read, which WebGPU forbids even where they are
// different parts.
func (l *lowering) shares(a, b []ir.Dispatch, buffers map[*ir.Slot]*engine.Buffer) bool {
	all := append(slices.Clip(a), b...)
	block := 1
	for i := range all {
		if !l.joinable(&all[i]) {
			return false
		}
		if size := all[i].Kernel.Entry().Workgroup[0]; size > 1 {
			if block > 1 && size != block {
				return false
			}
			block = size
		}
	}
	if !oneAccess(all, buffers) {
		return false
	}
	bound, _ := ir.BindAll(all)
	return len(bound) <= int(l.dev.Info().Limits.StorageBuffersPerStage)
}

// oneAccess reports whether the dispatches only read, or only write, each buffer that
// they bind, as WebGPU wants it of a launch. Where another program gave parameters places
// in one buffer, that does not count here: what is merged does not depend on what
// was compiled before (see engine.GPU.Build).
func oneAccess(all []ir.Dispatch, buffers map[*ir.Slot]*engine.Buffer) bool {
	written := map[any]bool{}
	for i := range all {
		for k, x := range all[i].Tensors {
			var key any = x.Base()
			if b := buffers[x.Base()]; b != nil {
				if key = b; b.Parent != nil {
					key = b.Parent
				}
			}
			if w, ok := written[key]; ok && w != all[i].Writes(k) {
				return false
			}
			written[key] = all[i].Writes(k)
		}
	}
	return true
}
