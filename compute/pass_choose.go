package compute

import (
	"fmt"
	"slices"
)

// Variant is another way to compute what a kernel defines: runs of other kernels
// that suit some devices or shapes better.
type Variant struct {
	Name string
	// Suits reports whether the variant is worth taking on a device; nil is always. It
	// is a guess about speed, which a device that tunes does not ask for, unless there
	// is a Prove.
	Suits func(info Info) bool
	// Record records, on t, runs that do what a run of the kernel with the params and
	// tensors does, and reports whether it can; else it records nothing. Where t's
	// Variant is empty it may also decline for the sake of speed.
	Record func(t *Tape, params any, tensors []*Tensor) bool
	// Prove tests all of the variant on a device, once, before a program takes it there:
	// where it is not enough that each of its kernels is right. An error is a reason to
	// leave it out. It must not run what would take the variant. nil is no test.
	Prove func(dev *Device) error
}

// Prefer adds a variant of k, which is preferred to those added later. A program takes
// the first that suits its device, can do the params at hand, passes its own test, and
// whose kernels run on the device (see RunsOn) and compute what they should there (see
// Device.Refused); the last resort is k itself. What a variant records is chosen in turn.
// On a device that tunes, the fastest comes first (see Device.Tune).
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

// choices are the ways to do a dispatch: by its kernel's variants, the preferred first,
// and then by itself.
type choices struct {
	itself   Dispatch
	variants []recorded
}

// recorded is a variant with the choices for each dispatch that it records.
type recorded struct {
	Variant
	parts []choices
}

// variants records the variants of d. Only the one of a name is recorded where name
// is not empty, whether it suits the device or not; for the dispatches that it records
// in turn the device has the choice.
func (t *Tape) variants(d Dispatch, name string, measure bool) (choices, error) {
	c := choices{itself: d}
	for _, v := range d.Kernel.variants {
		if name != "" && v.Name != name || name == "" && v.Suits != nil && !v.Suits(t.dev.info) {
			continue
		}
		r, ok, err := t.record(v, d, t.Variant, measure)
		if err != nil {
			return c, err
		}
		if ok {
			c.variants = append(c.variants, r)
		}
	}
	return c, nil
}

// record is what a variant does for d where the tape's Variant is the name, and whether
// it can and its kernels run on the device.
func (t *Tape) record(v Variant, d Dispatch, name string, measure bool) (r recorded, ok bool, err error) {
	defer func(list []Dispatch, name string) { t.list, t.Variant = list, name }(t.list, t.Variant)
	t.list, t.Variant = nil, name
	t.in(d.scope, func() { ok = v.Record(t, d.Params, d.Tensors) })
	if !ok || slices.ContainsFunc(t.list, func(d Dispatch) bool { return !d.Kernel.RunsOn(t.dev) }) {
		return recorded{}, false, nil
	}
	list := t.list
	t.Variant = ""
	parts, err := t.choices(list, "", measure)
	return recorded{v, parts}, err == nil, err
}

// choices are those for each dispatch of a list.
func (t *Tape) choices(list []Dispatch, name string, measure bool) ([]choices, error) {
	all := make([]choices, len(list))
	for i, d := range list {
		c, err := t.variants(d, name, measure)
		if err == nil && name == "" && len(d.Kernel.variants) > 0 && t.dev.Tunes() {
			c, err = t.tuned(c, measure)
		}
		if err != nil {
			return nil, err
		}
		all[i] = c
	}
	return all, nil
}

// choose puts variants in the place of dispatches. With check it tests the kernels
// that it takes, falls back where one fails, and returns an error that wraps
// ErrWrongNumbers where none is left. With check and measure a device that tunes
// measures variants; else it goes by what it knows.
func (t *Tape) choose(list []Dispatch, name string, check, measure bool) ([]Dispatch, error) {
	all, err := t.choices(list, name, check && measure)
	if err != nil {
		return nil, err
	}
	return settle(t.dev, all, check)
}

// settle takes the first of each choices whose kernels the device may use.
func settle(dev *Device, all []choices, check bool) ([]Dispatch, error) {
	for check {
		wrong := dev.condemned(taken(all))
		changed := false
		for i := range all {
			k, fell, err := all[i].fall(dev, wrong)
			if err != nil {
				return nil, err
			}
			if k != nil {
				return nil, fmt.Errorf("compute: kernel %s on %s: %s: %w", k.name, dev.info.Name, wrong[k], ErrWrongNumbers)
			}
			changed = changed || fell
		}
		if !changed {
			break
		}
	}
	return taken(all), nil
}

// taken is the list of what is preferred.
func taken(all []choices) (list []Dispatch) {
	for _, c := range all {
		if len(c.variants) > 0 {
			list = append(list, taken(c.variants[0].parts)...)
		} else {
			list = append(list, c.itself)
		}
	}
	return list
}

// fall leaves out the preferred variant where one of its dispatches cannot do without
// a kernel that is wrong, or where it fails its own test, and reports whether it, or one
// of them, fell. Where c has no variant and its own kernel is wrong, it returns that.
func (c *choices) fall(dev *Device, wrong map[*Kernel]string) (bad *Kernel, fell bool, err error) {
	if len(c.variants) == 0 {
		if _, ok := wrong[c.itself.Kernel]; ok {
			return c.itself.Kernel, false, nil
		}
		return nil, false, nil
	}
	first := c.variants[0]
	drop := func(kernel, reason string) {
		dev.warn(kernel, first.Name, reason)
		c.variants = c.variants[1:]
	}
	for i := range first.parts {
		k, below, err := first.parts[i].fall(dev, wrong)
		if err != nil {
			return nil, false, err
		}
		if fell = fell || below; k != nil {
			drop(k.name, wrong[k])
			return nil, true, nil
		}
	}
	if fell || first.Prove == nil {
		return nil, fell, nil
	}
	reason, err := dev.prove(c.itself.Kernel, first.Variant)
	if err == nil && reason != "" {
		drop(c.itself.Kernel.name, reason)
		fell = true
	}
	return nil, fell, err
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
