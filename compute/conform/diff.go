package conform

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is what differs between two reports in one place.
type Change struct {
	What          string // a case, a kernel or a part of the fingerprint
	Before, After string
	Worse         bool
	Verdict       bool // of a case, from one that is good to another
}

// Diff lists what changed from report a to report b: the fingerprint, verdicts of
// cases, cases that only one of them has, and kernels whose worst element moved by
// more than a tenth of what is legal.
func Diff(a, b *Report) (changes []Change) {
	add := func(what, before, after string, worse bool) {
		if before != after {
			changes = append(changes, Change{What: what, Before: before, After: after, Worse: worse})
		}
	}
	f, g := a.Fingerprint, b.Fingerprint
	add("adapter", f.Adapter, g.Adapter, false)
	add("driver", f.Driver, g.Driver, false)
	add("backend", f.Backend, g.Backend, false)
	add("binding", f.Binding, g.Binding, false)
	add("system", f.System, g.System, false)
	add("browser", f.Browser, g.Browser, false)
	add("library", f.Library, g.Library, false)
	add("features", strings.Join(f.Features, " "), strings.Join(g.Features, " "), false)
	l, m := reflect.ValueOf(f.Limits), reflect.ValueOf(g.Limits)
	for i := range l.NumField() {
		add("limit "+l.Type().Field(i).Name, fmt.Sprint(l.Field(i)), fmt.Sprint(m.Field(i)), false)
	}
	for _, name := range union(f.Shaders, g.Shaders) {
		add("shader "+name, cut(f.Shaders[name]), cut(g.Shaders[name]), false)
	}
	before, after := map[string]*Result{}, map[string]*Result{}
	for _, c := range a.Cases {
		before[c.Name] = c
	}
	for _, c := range b.Cases {
		after[c.Name] = c
	}
	for _, name := range union(before, after) {
		old, now := before[name], after[name]
		if old != nil && now != nil && old.Verdict != now.Verdict && !old.Verdict.bad() && !now.Verdict.bad() {
			changes = append(changes, Change{What: name, Before: old.verdict(), After: now.verdict(), Verdict: true})
			continue
		}
		add(name, old.verdict(), now.verdict(), now != nil && now.Verdict.bad())
	}
	kernels := map[string]*Kernel{}
	for _, k := range a.Kernels {
		kernels[k.Name] = k
	}
	for _, k := range b.Kernels {
		if old := kernels[k.Name]; old != nil && old.Worst != nil && k.Worst != nil {
			if d := float64(k.Worst.Share - old.Worst.Share); d > 0.1 || d < -0.1 {
				add("worst of "+k.Name, percent(old.Worst.Share), percent(k.Worst.Share), d > 0)
			}
		}
	}
	return changes
}

// WriteDiff writes changes, a line each; those for the worse come first and are marked
// with "!", and cases whose verdict is another good one are counted.
func WriteDiff(w io.Writer, changes []Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	changes = slices.Clone(changes)
	slices.SortStableFunc(changes, func(a, b Change) int {
		switch {
		case a.Worse && !b.Worse:
			return -1
		case b.Worse && !a.Worse:
			return 1
		}
		return 0
	})
	count := map[[2]string]int{}
	for _, c := range changes {
		if c.Verdict {
			count[[2]string{c.Before, c.After}]++
		}
	}
	for _, c := range changes {
		if n := count[[2]string{c.Before, c.After}]; c.Verdict && n > 1 {
			count[[2]string{c.Before, c.After}] = 0
			if _, err := fmt.Fprintf(w, "  %d cases: %s -> %s, the first %s\n", n, c.Before, c.After, c.What); err != nil {
				return err
			}
			continue
		} else if c.Verdict && n == 0 {
			continue
		}
		mark := " "
		if c.Worse {
			mark = "!"
		}
		if _, err := fmt.Fprintf(w, "%s %s: %s -> %s\n", mark, c.What, orDash(c.Before), orDash(c.After)); err != nil {
			return err
		}
	}
	return nil
}

func union[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func cut(sum string) string { return sum[:min(len(sum), 12)] }

// verdict is that of a result, or none where there is no such case.
func (r *Result) verdict() string {
	if r == nil {
		return "not run"
	}
	return string(r.Verdict)
}
