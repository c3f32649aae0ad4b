package compute

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

	row     int     // the most workgroups in x, of tests (tapeoption.Switches)
	scope   string  // see Tape.Within
	stands  *origin // the rules' work: whose it does; nil is its own, as recorded
	uniform bool    // params stay in a uniform, whatever the program does
	// plain are the dispatches whose work this one does, as they were before; nil is
	// itself. Those of a dispatch that Batch or Join merged are independent of each other;
	// of those of Chain, each hands elements to the next.
	plain  []Dispatch
	merged Pass // the pass that merged them, or ""
}

// Part is the part of the model that d was recorded within (see Tape.Within), or "".
func (d *Dispatch) Part() string { return d.scope }

// maxTrips bounds the loop iterations of one invocation: lavapipe stops an
// invocation in silence after 65,535.
const maxTrips = 60_000

func (d *Dispatch) binding(i int) shader.Binding { return d.Kernel.read().entry.Bindings[i] }

func (d *Dispatch) writes(i int) bool { return d.binding(i).Access == "read_write" }

// grid is the number of workgroups in x, y and z; all zero where there is
// nothing to do. A grid of one dimension that is longer than the device allows, or
// than row, is folded into a second.
func (d *Dispatch) grid(perDimension int) ([3]uint32, error) {
	k := d.Kernel
	groups := [3]int{1, 1, 1}
	for i, expr := range k.read().entry.Size {
		n, err := shader.Eval(expr, k.lookup(d.Params))
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
	if d.row > 0 {
		row = min(row, d.row)
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

// checkTrips proves the loop budget.
func (d *Dispatch) checkTrips() error {
	k := d.Kernel
	if k.joined != "" {
		for i := range d.plain {
			if err := d.plain[i].checkTrips(); err != nil {
				return err
			}
		}
		return nil
	}
	if k.read().entry.Trips == "" {
		return nil
	}
	n, err := shader.Eval(k.read().entry.Trips, k.lookup(d.Params))
	if err != nil {
		return fmt.Errorf("compute: kernel %s: trips: %w", k.name, err)
	}
	if n > maxTrips {
		return fmt.Errorf("compute: kernel %s %+v: %d loop iterations in one invocation, at most %d: %w", k.name, d.Params, n, maxTrips, ErrLimit)
	}
	return nil
}

// leaves are the dispatches that d was merged from, and those from which they were.
func (d *Dispatch) leaves() (all []*Dispatch) {
	if d.merged == "" {
		return []*Dispatch{d}
	}
	for i := range d.plain {
		all = append(all, d.plain[i].leaves()...)
	}
	return all
}

// slots are the tensors of d, each once.
func (d *Dispatch) slots() (all []*slot) {
	for _, x := range d.Tensors {
		if !slices.Contains(all, x.base) {
			all = append(all, x.base)
		}
	}
	return all
}

// flops counts floating-point operations: the shader's own count, or one for
// each invocation.
func (d *Dispatch) flops(groups [3]uint32) (int64, error) {
	k := d.Kernel
	if k.read().entry.Flops == "" {
		w := k.read().entry.Workgroup
		return int64(groups[0]) * int64(groups[1]) * int64(groups[2]) * int64(w[0]*w[1]*w[2]), nil
	}
	n, err := shader.Eval(k.read().entry.Flops, k.lookup(d.Params))
	if err != nil {
		return 0, fmt.Errorf("compute: kernel %s: flops: %w", k.name, err)
	}
	return int64(n), nil
}

// bytes is the size of the bound tensors, each counted once.
func (d *Dispatch) bytes() (n int64) {
	counted := map[*slot]bool{}
	for _, x := range d.Tensors {
		if !counted[x.base] {
			n += x.base.dtype.bytes(x.Len())
		}
		counted[x.base] = true
	}
	return n
}

// specialized is the WGSL with constants and, with bake, params, that stores all as f32.
func (d *Dispatch) specialized(bake bool) (string, error) {
	var params []string
	if d.baked(bake) {
		params = d.Kernel.literals(d.Params)
	}
	return d.Kernel.read().shader.Specialize(d.Kernel.read().entry.Name, d.Consts, params)
}

// rewritten calls told, where it is set, with the passes that merged d, and with what its
// texts, and those of the dispatches that it was merged from, are rewritten by.
func (d *Dispatch) rewritten(told func(string), bake bool) {
	if told == nil {
		return
	}
	if d.merged != "" {
		told(string(d.merged))
	}
	for i := range d.plain {
		d.plain[i].rewritten(told, bake)
	}
	if d.Kernel.joined != "" || d.merged == Chain {
		return
	}
	var params []string
	if d.baked(bake) {
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
	if d.storage() == F16 {
		told("store f16")
	}
}

// text is the WGSL that goes to the driver.
func (d *Dispatch) text(bake bool) (string, error) {
	if d.Kernel.joined != "" {
		return d.Kernel.joined, nil
	}
	text, err := d.specialized(bake)
	if err != nil || d.storage() != F16 && !d.Kernel.halves {
		return text, err
	}
	var halves []string
	for i, x := range d.Tensors {
		if x.base.dtype == F16 {
			halves = append(halves, d.binding(i).Name)
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

// values describes the params of d, and of the dispatches that it joins.
func (d *Dispatch) values() string {
	if d.Kernel.joined == "" {
		return fmt.Sprintf("%+v", d.Params)
	}
	var all []string
	for i := range d.plain {
		all = append(all, d.plain[i].values())
	}
	return strings.Join(all, "+")
}

// storage is F16 where any of d's tensors is stored so.
func (d *Dispatch) storage() DType {
	for _, x := range d.Tensors {
		if x.base.dtype == F16 {
			return F16
		}
	}
	return F32
}
