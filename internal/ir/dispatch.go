package ir

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pumice-ml/pumice/internal/shader"
)

// Dispatch is one recorded run of a kernel: the only intermediate form of a
// program. A pass takes a list of dispatches and returns a list.
type Dispatch struct {
	Kernel  *Kernel
	Params  any
	Tensors []*Tensor
	Consts  map[string]string // shader constants to replace

	Row     int     // the most workgroups in x, of tests (tapeoption.Switches)
	Scope   string  // see Tape.Within
	Stands  *origin // the rules' work: whose it does; nil is its own, as recorded
	Uniform bool    // params stay in a uniform, whatever the program does
	// Plain are the dispatches whose work this one does, as they were before; nil is
	// itself. Those of a dispatch that Batch or Join merged are independent of each other;
	// of those of Chain, each hands elements to the next.
	Plain  []Dispatch
	Merged Pass // the pass that merged them, or ""
}

// Part is the part of the model that d was recorded within (see Tape.Within), or "".
func (d *Dispatch) Part() string { return d.Scope }

// MaxTrips bounds the loop iterations of one invocation: lavapipe stops an
// invocation in silence after 65,535.
const MaxTrips = 60_000

// Binding is what the shader declares of tensor i.
func (d *Dispatch) Binding(i int) shader.Binding { return d.Kernel.read().entry.Bindings[i] }

// Writes reports whether d writes tensor i.
func (d *Dispatch) Writes(i int) bool { return d.Binding(i).Access == "read_write" }

// Grid is the number of workgroups in x, y and z; all zero where there is
// nothing to do. A grid of one dimension that is longer than the device allows, or
// than row, is folded into a second.
func (d *Dispatch) Grid(perDimension int) ([3]uint32, error) {
	k := d.Kernel
	groups := [3]int{1, 1, 1}
	for i, expr := range k.read().entry.Size {
		n, err := shader.Eval(expr, k.Lookup(d.Params))
		if err != nil {
			return [3]uint32{}, fmt.Errorf("compute: kernel %s: %w", k.name, err)
		}
		if n <= 0 {
			return [3]uint32{}, nil
		}
		if !k.read().entry.Groups {
			n = (n + k.read().entry.Workgroup[i] - 1) / k.read().entry.Workgroup[i]
		}
		groups[i] = n
	}
	row := perDimension
	if d.Row > 0 {
		row = min(row, d.Row)
	}
	if len(k.read().entry.Size) == 1 && groups[0] > row {
		groups[1] = (groups[0] + row - 1) / row
		groups[0] = (groups[0] + groups[1] - 1) / groups[1]
	}
	for i, n := range groups {
		if n > perDimension {
			return [3]uint32{}, fmt.Errorf("compute: kernel %s %+v: %d workgroups in dimension %d, at most %d: %w", k.name, d.Params, n, i, perDimension, ErrLimit)
		}
	}
	return [3]uint32{uint32(groups[0]), uint32(groups[1]), uint32(groups[2])}, nil
}

// CheckTrips proves the loop budget.
func (d *Dispatch) CheckTrips() error {
	k := d.Kernel
	if k.joined != "" {
		for i := range d.Plain {
			if err := d.Plain[i].CheckTrips(); err != nil {
				return err
			}
		}
		return nil
	}
	if k.read().entry.Trips == "" {
		return nil
	}
	n, err := shader.Eval(k.read().entry.Trips, k.Lookup(d.Params))
	if err != nil {
		return fmt.Errorf("compute: kernel %s: trips: %w", k.name, err)
	}
	if n > MaxTrips {
		return fmt.Errorf("compute: kernel %s %+v: %d loop iterations in one invocation, at most %d: %w", k.name, d.Params, n, MaxTrips, ErrLimit)
	}
	return nil
}

// Leaves are the dispatches that d was merged from, and those from which they were.
func (d *Dispatch) Leaves() (all []*Dispatch) {
	if d.Merged == "" {
		return []*Dispatch{d}
	}
	for i := range d.Plain {
		all = append(all, d.Plain[i].Leaves()...)
	}
	return all
}

// Slots are the tensors of d, each once.
func (d *Dispatch) Slots() (all []*Slot) {
	for _, x := range d.Tensors {
		if !slices.Contains(all, x.base) {
			all = append(all, x.base)
		}
	}
	return all
}

// Flops counts floating-point operations: the shader's own count, or one for
// each invocation.
func (d *Dispatch) Flops(groups [3]uint32) (int64, error) {
	k := d.Kernel
	if k.read().entry.Flops == "" {
		w := k.read().entry.Workgroup
		return int64(groups[0]) * int64(groups[1]) * int64(groups[2]) * int64(w[0]*w[1]*w[2]), nil
	}
	n, err := shader.Eval(k.read().entry.Flops, k.Lookup(d.Params))
	if err != nil {
		return 0, fmt.Errorf("compute: kernel %s: flops: %w", k.name, err)
	}
	return int64(n), nil
}

// Bytes is the size of the bound tensors, each counted once.
func (d *Dispatch) Bytes() (n int64) {
	counted := map[*Slot]bool{}
	for _, x := range d.Tensors {
		if !counted[x.base] {
			n += Bytes(x.base.DType, x.Len())
		}
		counted[x.base] = true
	}
	return n
}

// Specialized is the WGSL with constants and, with bake, params, that stores all as f32.
func (d *Dispatch) Specialized(bake bool) (string, error) {
	var params []string
	if d.Baked(bake) {
		params = d.Kernel.literals(d.Params)
	}
	return d.Kernel.read().shader.Specialize(d.Kernel.read().entry.Name, d.Consts, params)
}

// Rewritten calls told, where it is set, with the passes that merged d, and with what its
// texts, and those of the dispatches that it was merged from, are rewritten by.
func (d *Dispatch) Rewritten(told func(string), bake bool) {
	if told == nil {
		return
	}
	if d.Merged != "" {
		told(string(d.Merged))
	}
	for i := range d.Plain {
		d.Plain[i].Rewritten(told, bake)
	}
	if d.Kernel.joined != "" || d.Merged == Chain {
		return
	}
	var params []string
	if d.Baked(bake) {
		params = d.Kernel.literals(d.Params)
		told(string(Specialise))
	}
	changed, _ := d.Kernel.read().shader.Rewritings(d.Kernel.read().entry.Name, d.Consts, params)
	for _, name := range changed {
		told(name)
	}
	if d.Consts["accumulate"] == "false" {
		told(string(Accumulate))
	}
	if d.Storage() == F16 {
		told("store f16")
	}
}

// Text is the WGSL that goes to the driver.
func (d *Dispatch) Text(bake bool) (string, error) {
	if d.Kernel.joined != "" {
		return d.Kernel.joined, nil
	}
	text, err := d.Specialized(bake)
	if err != nil || d.Storage() != F16 && !d.Kernel.halves {
		return text, err
	}
	var halves []string
	for i, x := range d.Tensors {
		if x.base.DType == F16 {
			halves = append(halves, d.Binding(i).Name)
		}
	}
	if text, err = shader.StoreF16(text, halves...); err != nil {
		return "", fmt.Errorf("compute: kernel %s: %w", d.Kernel.name, err)
	}
	if len(halves) == 0 {
		text = shader.EnableF16 + text
	}
	return text, nil
}

// Values describes the params of d, and of the dispatches that it joins.
func (d *Dispatch) Values() string {
	if d.Kernel.joined == "" {
		return fmt.Sprintf("%+v", d.Params)
	}
	var all []string
	for i := range d.Plain {
		all = append(all, d.Plain[i].Values())
	}
	return strings.Join(all, "+")
}

// Storage is F16 where any of d's tensors is stored so.
func (d *Dispatch) Storage() DType {
	for _, x := range d.Tensors {
		if x.base.DType == F16 {
			return F16
		}
	}
	return F32
}

// Baked reports whether the params are constants of the text, which they are in any
// case where the kernel calls subgroup functions, whose arguments have to be.
func (d *Dispatch) Baked(bake bool) bool {
	return bake && !d.Uniform || d.Kernel.read().entry.Subgroup || d.Kernel.joined != ""
}

// RunsOn reports whether the device has what k's entry point needs: its workgroup memory,
// and subgroups as large as its workgroup, where it calls subgroup functions.
func (k *Kernel) RunsOn(d Device) bool {
	w := k.read().entry.Workgroup
	return d.IsReference() || k.read().entry.Shared <= int(d.Info().Limits.WorkgroupStorage) && (!k.read().entry.Subgroup || d.Info().Subgroup == w[0]*w[1]*w[2])
}
