package pass

import (
	"fmt"
	"slices"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/tune"
)

// choices are the ways to do a dispatch: by its kernel's variants, the preferred first,
// and then by itself.
type choices struct {
	itself   ir.Dispatch
	variants []recorded
}

// recorded is a rule with the choices for each dispatch that it records.
type recorded struct {
	*ir.Rule
	parts []choices
}

// variants records the rules for d. Only the one of a name is recorded where name
// is not empty, whether it suits the device or not; for the dispatches that it records
// in turn the device has the choice.
func (l *lowering) variants(d ir.Dispatch, name string, measure bool) (choices, error) {
	c := choices{itself: d}
	for _, r := range l.tape.RulesOf(d.Kernel, ir.Choose) {
		if name != "" && r.Name != name || name == "" && r.Suits != nil && !r.Suits(l.dev.Info()) {
			continue
		}
		v, ok, err := l.variant(r, d, name != "", measure)
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
func (l *lowering) variant(r *ir.Rule, d ir.Dispatch, asked, measure bool) (recorded, bool, error) {
	list, ok := l.tape.Record(r, []ir.Dispatch{d}, asked)
	if !ok {
		return recorded{}, false, nil
	}
	parts, err := l.choices(list, "", measure)
	return recorded{r, parts}, err == nil, err
}

// choices are those for each dispatch of a list.
func (l *lowering) choices(list []ir.Dispatch, name string, measure bool) ([]choices, error) {
	all := make([]choices, len(list))
	for i, d := range list {
		c, err := l.variants(d, name, measure)
		if err == nil && name == "" && len(l.tape.RulesOf(d.Kernel, ir.Choose)) > 0 && l.dev.Tunes() {
			c, err = l.tuned(c, measure)
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
	check := l.runs(ir.Check)
	all, err := l.choices(l.list, name, check && l.runs(ir.Measure))
	if err != nil {
		return err
	}
	if err := l.resolve(all, check); err != nil {
		return err
	}
	var list []ir.Dispatch
	for i := range all {
		chosen := preferred(all[i : i+1])
		all[i].note(l.tape.Switches().Taken)
		if len(all[i].variants) > 0 {
			ir.StandFor(chosen, l.list[i:i+1], nil)
		}
		list = append(list, chosen...)
	}
	l.list = list
	return nil
}

// resolve leaves the first of each choices whose kernels the device may use.
func (l *lowering) resolve(all []choices, check bool) error {
	for check {
		wrong := l.dev.Condemned(preferred(all))
		changed := false
		for i := range all {
			k, rejected, err := all[i].reject(l, wrong)
			if err != nil {
				return err
			}
			if k != nil {
				return fmt.Errorf("compute: kernel %s on %s: %s: %w", k.Name(), l.dev.Info().Name, wrong[k], ir.ErrWrongNumbers)
			}
			changed = changed || rejected
		}
		if !changed {
			break
		}
	}
	return nil
}

// preferred is the list of what is preferred.
func preferred(all []choices) (list []ir.Dispatch) {
	for _, c := range all {
		if len(c.variants) > 0 {
			list = append(list, preferred(c.variants[0].parts)...)
		} else {
			list = append(list, c.itself)
		}
	}
	return list
}

// note calls told with the rules that are preferred.
func (c *choices) note(told func(string)) {
	if len(c.variants) > 0 {
		ir.Note(told, c.variants[0].Title())
		for i := range c.variants[0].parts {
			c.variants[0].parts[i].note(told)
		}
	}
}

// reject leaves out the preferred variant where one of its dispatches cannot do without
// a kernel that is wrong, or where it fails its own test, and reports whether it, or one
// of them, was. Where c has no variant and its own kernel is wrong, it returns that.
func (c *choices) reject(l *lowering, wrong map[*ir.Kernel]string) (bad *ir.Kernel, rejected bool, err error) {
	if len(c.variants) == 0 {
		if _, ok := wrong[c.itself.Kernel]; ok {
			return c.itself.Kernel, false, nil
		}
		return nil, false, nil
	}
	first := c.variants[0]
	for i := range first.parts {
		k, below, err := first.parts[i].reject(l, wrong)
		if err != nil {
			return nil, false, err
		}
		if rejected = rejected || below; k != nil {
			l.dev.Warn(k.Name(), first.Name, wrong[k])
			c.variants = c.variants[1:]
			return nil, true, nil
		}
	}
	if rejected {
		return nil, true, nil
	}
	ok, err := l.dev.Proved(first.Rule, l.tape.Device())
	if err == nil && !ok {
		c.variants = c.variants[1:]
	}
	return nil, !ok, err
}

// tuned puts the variant that is the fastest first, measuring where that is not known
// and measure is set. The others follow as they were, should it be refused. A variant
// with a test of its own is compared where it suits the device only.
func (l *lowering) tuned(c choices, measure bool) (choices, error) {
	d := c.itself
	if groups, err := d.Grid(int(l.dev.Info().Limits.WorkgroupsPerDimension)); err == nil && groups[0] == 0 {
		return c, nil // nothing to do
	}
	itself := recorded{&ir.Rule{Name: ir.Plain}, []choices{{itself: d}}}
	all := slices.Clone(c.variants)
	if len(all) == 0 {
		all = append(all, itself)
	}
	suit := len(all) // but for the kernel itself, which is slow as a rule, where something else suits
	for _, rule := range l.tape.RulesOf(d.Kernel, ir.Choose) {
		if rule.Prove != nil || slices.ContainsFunc(all, func(r recorded) bool { return r.Name == rule.Name }) {
			continue
		}
		r, ok, err := l.variant(rule, d, true, measure)
		if err != nil {
			return c, err
		}
		if ok && l.dev.Within(preferred(r.parts)) {
			all = append(all, r)
		}
	}
	if len(c.variants) > 0 {
		all = append(all, itself)
	}
	if len(all) < 2 {
		return c, nil
	}
	flat := tune.Candidates{Zeroed: func(list []ir.Dispatch) []ir.Dispatch { return accumulate(list, nil, l.dev.Assigns) }}
	for _, r := range all {
		flat.Names, flat.Lists = append(flat.Names, r.Name), append(flat.Lists, preferred(r.parts))
	}
	choice, err := l.dev.Choice(d, l.tape.Class(d), flat, suit, measure)
	if err != nil || choice == nil {
		return c, err
	}
	first := choices{itself: d, variants: []recorded{all[slices.Index(flat.Names, choice.Variant)]}}
	for _, r := range c.variants {
		if r.Name != choice.Variant {
			first.variants = append(first.variants, r)
		}
	}
	return first, nil
}
