package compute

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Pass names a step of the compiler that can be left out, to find a fault:
// tape.Compile(compute.Prune), or PUMICE_DEBUG=-prune,-specialise for all.
type Pass string

// The passes, in their order.
const (
	Prune      Pass = "prune"      // drop dispatches whose results nobody reads
	Hoist      Pass = "hoist"      // write constants once, not in every run
	Fuse       Pass = "fuse"       // take rules of several kernels: one run in the place of more
	Choose     Pass = "choose"     // take rules of one kernel: variants that suit the device
	Accumulate Pass = "accumulate" // first writers assign instead of adding to zeros
	Overwrite  Pass = "overwrite"  // take rules that write over what nobody reads any more
	Batch      Pass = "batch"      // one run of element-wise kernels for many tensors
	Chain      Pass = "chain"      // hand elements from run to run in registers, in one launch
	Join       Pass = "join"       // do small independent dispatches in one launch
	Plan       Pass = "plan"       // let tensors of different times share memory
	Specialise Pass = "specialise" // bake params and constants into the shader
)

// Check is the judging of texts on a device before they count. It changes no program, so Passes does not list it, but it can be left out as well.
const Check Pass = "check"

// Measure is the measuring of variants on a device that tunes (see Device.Tune). Left
// out, a program takes what was measured before, and else what suits the device by rule.
// It changes which variants are chosen, and only that, so Passes does not list it.
const Measure Pass = "measure"

// lowering is the list of a tape on its way through the passes that change it.
type lowering struct {
	tape   *Tape
	list   []Dispatch
	values map[*slot][]float32 // of the tensors that are hoisted out of the list
	runs   func(Pass) bool
}

// lowerings are the passes from the recorded list to that of the device, in their order:
// what each does, and what is done where it is left out. The reference device has the
// first alone.
func lowerings() []lowered {
	return []lowered{
		{Prune, func(l *lowering) error { l.list = prune(l.list); return nil }, nil},
		{Hoist, func(l *lowering) error { l.list, l.values = hoist(l.list); return nil }, nil},
		{Fuse, (*lowering).fuse, nil},
		{Choose, func(l *lowering) error { return l.choose(l.tape.switches.Variant) }, func(l *lowering) error { return l.choose(plain) }},
		{Accumulate, func(l *lowering) error { return l.accumulate(true) }, func(l *lowering) error { return l.accumulate(false) }},
		{Overwrite, (*lowering).overwrite, nil},
	}
}

func (l *lowering) accumulate(assign bool) error {
	l.list = accumulate(l.list, l.tape.kept(), func(k *Kernel) bool { return assign && l.tape.dev.assigns(k) })
	return nil
}

type lowered struct {
	pass          Pass
	apply, except func(l *lowering) error
}

// lower applies the passes that change the list, and returns the numbers of the
// tensors that are hoisted out of it. It adds tensors to the tape (see Tape.unchanged).
func (t *Tape) lower(runs func(Pass) bool) (list []Dispatch, values map[*slot][]float32, err error) {
	l := &lowering{tape: t, list: slices.Concat(t.casts, t.list), values: map[*slot][]float32{}, runs: runs}
	for i, p := range lowerings() {
		if i > 0 && t.dev.IsReference() {
			break
		}
		do := p.apply
		if !runs(p.pass) {
			do = p.except
		}
		if do == nil {
			continue
		}
		if err := do(l); err != nil {
			return nil, nil, err
		}
	}
	for i := range l.list {
		d := &l.list[i]
		d.row = t.switches.Row
		if t.dev.IsReference() {
			continue
		}
		if reason, ok := t.dev.condemned(l.list[i : i+1])[d.Kernel]; ok && runs(Check) {
			return nil, nil, fmt.Errorf("compute: kernel %s on %s: %s: %w", d.Kernel.name, t.dev.info.Name, reason, ErrWrongNumbers)
		}
		d.uniform = d.uniform || t.dev.fails(d, runs(Specialise))
	}
	return l.list, l.values, nil
}

// Lowered lists what the tape compiles to, without the named passes and before
// constants are baked, without compiling it or testing kernels.
func (t *Tape) Lowered(without ...Pass) []Dispatch {
	defer t.unchanged()()
	list, _, _ := t.lower(passes(append(without, Check))) // only Check fails
	return list
}

// Passes lists the passes, in their order.
func Passes() []Pass {
	return []Pass{Prune, Hoist, Fuse, Choose, Accumulate, Overwrite, Batch, Chain, Join, Plan, Specialise}
}

// passes reports whether a pass runs.
func passes(without []Pass) func(Pass) bool {
	debug := strings.Split(os.Getenv("PUMICE_DEBUG"), ",")
	return func(p Pass) bool {
		return !slices.Contains(without, p) && !slices.Contains(debug, "-"+string(p))
	}
}
