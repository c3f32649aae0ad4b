package compute

import (
	"fmt"
)

// plain is the name of no variant: each kernel is taken itself.
const plain = "plain"

// choices are the ways to do a dispatch: by its kernel's variants, the preferred first,
// and then by itself.
type choices struct {
	itself   Dispatch
	variants []recorded
}

// recorded is a rule with the choices for each dispatch that it records.
type recorded struct {
	*Rule
	parts []choices
}

// variants records the rules for d. Only the one of a name is recorded where name
// is not empty, whether it suits the device or not; for the dispatches that it records
// in turn the device has the choice.
func (t *Tape) variants(d Dispatch, name string, measure bool) (choices, error) {
	c := choices{itself: d}
	for _, r := range t.rulesOf(d.Kernel, Choose) {
		if name != "" && r.Name != name || name == "" && r.Suits != nil && !r.Suits(t.dev.info) {
			continue
		}
		v, ok, err := t.variant(r, d, name != "", measure)
		if err != nil {
			return c, err
		}
		if ok {
			c.variants = append(c.variants, v)
		}
	}
	return c, nil
}

// variant is what a rule does for d, and whether it can.
func (t *Tape) variant(r *Rule, d Dispatch, asked, measure bool) (recorded, bool, error) {
	list, ok := t.record(r, []Dispatch{d}, asked)
	if !ok {
		return recorded{}, false, nil
	}
	parts, err := t.choices(list, "", measure)
	return recorded{r, parts}, err == nil, err
}

// choices are those for each dispatch of a list.
func (t *Tape) choices(list []Dispatch, name string, measure bool) ([]choices, error) {
	all := make([]choices, len(list))
	for i, d := range list {
		c, err := t.variants(d, name, measure)
		if err == nil && name == "" && len(t.rulesOf(d.Kernel, Choose)) > 0 && t.dev.Tunes() {
			c, err = t.tuned(c, measure)
		}
		if err != nil {
			return nil, err
		}
		all[i] = c
	}
	return all, nil
}

// choose takes rules of one kernel, only those of a name where that is not empty. With
// Check it falls back where a kernel is known to be wrong, and returns an
// error that wraps ErrWrongNumbers where none is left. With Check and Measure a device that
// tunes measures variants; else it goes by what it knows.
func (l *lowering) choose(name string) error {
	check := l.runs(Check)
	all, err := l.tape.choices(l.list, name, check && l.runs(Measure))
	if err != nil {
		return err
	}
	if err := settle(l.tape.dev, all, check); err != nil {
		return err
	}
	var list []Dispatch
	for i := range all {
		chosen := taken(all[i : i+1])
		all[i].note(l.tape.switches.Taken)
		if len(all[i].variants) > 0 {
			standFor(chosen, l.list[i:i+1], nil)
		}
		list = append(list, chosen...)
	}
	l.list = list
	return nil
}

// settle leaves the first of each choices whose kernels the device may use.
func settle(dev *Device, all []choices, check bool) error {
	for check {
		wrong := dev.condemned(taken(all))
		changed := false
		for i := range all {
			k, fell, err := all[i].fall(dev, wrong)
			if err != nil {
				return err
			}
			if k != nil {
				return fmt.Errorf("compute: kernel %s on %s: %s: %w", k.name, dev.info.Name, wrong[k], ErrWrongNumbers)
			}
			changed = changed || fell
		}
		if !changed {
			break
		}
	}
	return nil
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

// note calls told with the rules that are preferred.
func (c *choices) note(told func(string)) {
	if len(c.variants) > 0 {
		note(told, c.variants[0].title())
		for i := range c.variants[0].parts {
			c.variants[0].parts[i].note(told)
		}
	}
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
	for i := range first.parts {
		k, below, err := first.parts[i].fall(dev, wrong)
		if err != nil {
			return nil, false, err
		}
		if fell = fell || below; k != nil {
			dev.warn(k.name, first.Name, wrong[k])
			c.variants = c.variants[1:]
			return nil, true, nil
		}
	}
	if fell {
		return nil, true, nil
	}
	ok, err := dev.proved(first.Rule)
	if err == nil && !ok {
		c.variants = c.variants[1:]
	}
	return nil, !ok, err
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
