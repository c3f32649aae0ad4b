package compute

import (
	"fmt"
	"log/slog"
	"slices"
)

// Variant is another way to compute what a kernel defines: runs of other kernels
// that suit some devices or shapes better.
type Variant struct {
	Name string
	// Suits reports whether the variant is worth taking on a device; nil is always.
	Suits func(info Info) bool
	// Record records, on t, runs that do what a run of the kernel with the params and
	// tensors does, and reports whether it can; else it records nothing.
	Record func(t *Tape, params any, tensors []*Tensor) bool
}

// Prefer adds a variant of k, which is preferred to those added later. A program takes
// the first that suits its device, can do the params at hand, and whose kernels run on
// the device (see RunsOn) and compute what they should there (see Device.Refused); the last resort is k
// itself.
func (k *Kernel) Prefer(v Variant) { k.variants = append(k.variants, v) }

// Variants are the names of k's variants, the preferred first.
func (k *Kernel) Variants() []string {
	var names []string
	for _, v := range k.variants {
		names = append(names, v.Name)
	}
	return names
}

// plain is the name of no variant: each kernel is taken itself.
const plain = "plain"

// choices are the lists that could stand for a dispatch, the preferred first, with
// the dispatch itself at the end.
type choices struct {
	names []string
	lists [][]Dispatch
}

// variants records the variants of d. Only the one of a name is recorded where name
// is not empty, whether it suits the device or not.
func (t *Tape) variants(d Dispatch, name string) (c choices) {
	for _, v := range d.Kernel.variants {
		if name != "" && v.Name != name || name == "" && v.Suits != nil && !v.Suits(t.dev.info) {
			continue
		}
		recorded := t.list
		t.list = nil
		var ok bool
		t.in(d.scope, func() { ok = v.Record(t, d.Params, d.Tensors) })
		ok = ok && !slices.ContainsFunc(t.list, func(d Dispatch) bool { return !d.Kernel.RunsOn(t.dev) })
		if ok {
			c.names, c.lists = append(c.names, v.Name), append(c.lists, t.list)
		}
		t.list = recorded
	}
	c.names, c.lists = append(c.names, ""), append(c.lists, []Dispatch{d})
	return c
}

// choose puts variants in the place of dispatches. With check it tests the kernels
// that it takes, falls back where one fails, and returns an error that wraps
// ErrWrongNumbers where none is left.
func (t *Tape) choose(list []Dispatch, name string, check bool) ([]Dispatch, error) {
	all := make([]choices, len(list))
	for i, d := range list {
		all[i] = t.variants(d, name)
	}
	return settle(t.dev, all, check)
}

// settle takes the first of each choices whose kernels the device may use.
func settle(dev *Device, all []choices, check bool) ([]Dispatch, error) {
	for check {
		var use []*Kernel
		for _, c := range all {
			for _, d := range c.lists[0] {
				use = append(use, d.Kernel)
			}
		}
		wrong, err := dev.Check(use...)
		if err != nil {
			return nil, err
		}
		changed := false
		for i := range all {
			c := &all[i]
			k, reason := refused(c.lists[0], wrong)
			if k == nil {
				continue
			}
			if len(c.lists) == 1 {
				return nil, fmt.Errorf("compute: kernel %s on %s: %s: %w", k.name, dev.info.Name, reason, ErrWrongNumbers)
			}
			if dev.refuse(Refusal{Kernel: k.name, Variant: c.names[0], Reason: reason}) {
				slog.Warn("pumice: a variant is not used, for it computes wrong numbers", "kernel", k.name, "variant", c.names[0], "adapter", dev.info.Name, "reason", reason)
			}
			c.names, c.lists, changed = c.names[1:], c.lists[1:], true
		}
		if !changed {
			break
		}
	}
	var out []Dispatch
	for _, c := range all {
		out = append(out, c.lists[0]...)
	}
	return out, nil
}

// refused is the first kernel of list that is wrong, and the reason.
func refused(list []Dispatch, wrong map[*Kernel]string) (*Kernel, string) {
	for _, d := range list {
		if reason, ok := wrong[d.Kernel]; ok {
			return d.Kernel, reason
		}
	}
	return nil, ""
}

// Lowered lists what the tape compiles to, without the named passes and before
// constants are baked, without compiling it or testing kernels.
func (t *Tape) Lowered(without ...Pass) []Dispatch {
	list, _, _ := t.lower(passes(append(without, Check))) // only Check fails
	return list
}
