package ir

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// Rule says that dispatches may be replaced by others that do the same work: a faster
// variant of a kernel, several runs in one, a result written over what nobody reads any
// more. An operation hands its rules to the tape on which it records (see Tape.Use), the
// preferred first. The reference device takes none.
//
// A rule of one kernel offers a choice: a program takes the first rule that suits its
// device, can do the dispatch at hand, and is right there; what it records is chosen in
// turn, and the last resort is the dispatch itself. On a device that tunes, the fastest
// comes first (see Device.Tune). A rule of several kernels is taken wherever it fits.
//
// A rule is right where each text that it comes to has been judged on the device,
// and so has the rule, where it has a Prove; one that is not is listed by Device.Refused.
type Rule struct {
	// Name is the rule's, among those that begin with the same kernel.
	Name string
	// Of are the kernels of the dispatches that it replaces, in their order. Each but the
	// first uses what one before it wrote; others may stand between.
	Of []*Kernel
	// Suits reports whether the rule is worth taking on a device; nil is always. It is a
	// guess about speed, for which a device that tunes measures, unless there is a Prove.
	Suits func(info Info) bool
	// Record records, on t, what is to run in the place of the runs, one of each kernel,
	// and reports whether it can; else it records nothing. It may also decline for the
	// sake of speed, unless it was asked for: by name, or to be measured. A result of the
	// runs that it does not write nobody else may use. Where it adds to one that the runs
	// assign, that starts at zero.
	Record func(t *Tape, runs []Dispatch, asked bool) bool
	// Over names two tensors of the rule's one kernel, one that it reads and one that it
	// writes: what is recorded writes the second over the first, whose values each
	// invocation reads only where it writes itself. The rule is taken where both are the
	// program's own and nobody reads the first afterwards.
	Over [2]string
	// Prove tests the rule as a whole on a device, once, before a program takes it there:
	// where it is not enough that each of its kernels is right. An error is a reason to
	// leave it out. It must not run what would take the rule. nil is no test.
	Prove func(dev Device) error
	// Class says which params of the first kernel are alike when its rules are measured:
	// those that it makes equal. The first rule of a kernel that has one decides for all;
	// without it each params is a class of its own.
	Class func(params any) any
}

// is reports whether two rules are the same one.
func (r *Rule) is(other *Rule) bool { return r.Name == other.Name && slices.Equal(r.Of, other.Of) }

// Title names a rule among all.
func (r *Rule) Title() string { return Names(r.Of) + ": " + r.Name }

// Note calls a switch with a name, where it is set.
func Note(told func(string), name string) {
	if told != nil {
		told(name)
	}
}

// stage is the pass in which a rule is taken.
func (r *Rule) stage() Pass {
	switch {
	case r.Over != [2]string{}:
		return Overwrite
	case len(r.Of) > 1:
		return Fuse
	}
	return Choose
}

// Use hands rules to the tape, for all that is recorded on it. Those that it has already
// are left out, and the others come after those. It panics where a rule is not complete.
func (t *Tape) Use(rules ...Rule) {
	for _, r := range rules {
		if r.Name == "" || len(r.Of) == 0 || r.Record == nil || r.stage() == Overwrite && len(r.Of) > 1 {
			panic(fmt.Sprintf("compute: Tape.Use: rule %q, want a name, kernels, one where it overwrites, and Record", r.Name))
		}
		if of := t.rules[r.Of[0]]; !slices.ContainsFunc(of, func(known *Rule) bool { return known.is(&r) }) {
			t.rules[r.Of[0]] = append(slices.Clip(of), &r)
			Note(t.switches.Handed, r.Title())
		}
	}
}

// Variants are the names of the rules between which the tape chooses for a dispatch of k,
// the preferred first.
func (t *Tape) Variants(k *Kernel) (names []string) {
	for _, r := range t.RulesOf(k, Choose) {
		names = append(names, r.Name)
	}
	return names
}

// Class is the class of a dispatch, as text (see Rule.Class).
func (t *Tape) Class(d Dispatch) string {
	params := d.Params
	if i := slices.IndexFunc(t.rules[d.Kernel], func(r *Rule) bool { return r.Class != nil }); i >= 0 {
		params = t.rules[d.Kernel][i].Class(params)
	}
	return strings.Trim(fmt.Sprintf("%+v", params), "{}")
}

// RulesOf are the rules that begin with k and are taken in a pass.
func (t *Tape) RulesOf(k *Kernel, stage Pass) (rules []*Rule) {
	for _, r := range t.rules[k] {
		if r.stage() == stage {
			rules = append(rules, r)
		}
	}
	return rules
}

// Record is what a rule records for some runs, and whether it can and its kernels run on
// the device. The tape stays as it is but for tensors and rules.
func (t *Tape) Record(r *Rule, runs []Dispatch, asked bool) (list []Dispatch, ok bool) {
	defer func(list []Dispatch, observe func(*Dispatch)) { t.list, t.observe = list, observe }(t.list, t.observe)
	t.list, t.observe = nil, nil
	t.in(runs[0].Scope, func() { ok = r.Record(t, runs, asked) })
	if ok && slices.ContainsFunc(t.list, func(d Dispatch) bool { return !d.Kernel.RunsOn(t.dev) }) {
		Note(t.switches.Lacked, r.Title())
		ok = false
	}
	return t.list, ok
}

// origin says whose work dispatches of a program do together: all that have the same one
// (see Dispatch.Stands).
type origin struct {
	// Plain are the recorded dispatches, in their order, on the tensors that the program
	// has in the place of theirs.
	Plain []Dispatch
	// Over is where results of plain lie in the program, of those that are written over
	// another tensor.
	Over map[*Slot]*Slot
}

// StandFor makes a list stand for runs. Whatever in rest does the work of other dispatches
// together with one of the runs then stands for all of them.
func StandFor(list, runs, rest []Dispatch) *origin {
	o := runs[0].Stands
	if o == nil || len(runs) > 1 {
		o = &origin{Over: map[*Slot]*Slot{}}
		var before []*origin
		for _, d := range runs {
			switch {
			case d.Stands == nil:
				o.Plain = append(o.Plain, d)
			case !slices.Contains(before, d.Stands):
				before = append(before, d.Stands)
				o.Plain = append(o.Plain, d.Stands.Plain...)
				maps.Copy(o.Over, d.Stands.Over)
			}
		}
		for i := range rest {
			if slices.Contains(before, rest[i].Stands) {
				rest[i].Stands = o
			}
		}
	}
	for i := range list {
		list[i].Stands = o
	}
	return o
}

// Renamed puts views of fresh in the place of those of old, in all that is listed and in
// what it stands for, but for what own does.
func Renamed(list []Dispatch, own *origin, old *Slot, fresh *Tensor) {
	for i := range list {
		list[i] = list[i].with(old, fresh)
		if s := list[i].Stands; s != nil && s != own {
			Renamed(s.Plain, nil, old, fresh)
		}
	}
}

// with is d with views of fresh in the place of those of old.
func (d Dispatch) with(old *Slot, fresh *Tensor) Dispatch {
	if !d.Uses(old) {
		return d
	}
	d.Tensors = slices.Clone(d.Tensors)
	for i, x := range d.Tensors {
		if x.base == old {
			d.Tensors[i] = &Tensor{tape: x.tape, shape: x.shape, base: fresh.base}
		}
	}
	return d
}

// Plain is the name of no variant: each kernel is taken itself.
const Plain = "plain"

// BatchClass is n where it is small, up to 16, and else the next power of two: what a
// class of params has in the place of a number that changes with the batch.
func BatchClass(n uint32) uint32 {
	if n <= 16 || n > 1<<31 {
		return n
	}
	return 1 << bits.Len32(n-1)
}
