package train

import (
	"fmt"
	"strings"

	"github.com/pumice-ml/pumice/compute"
)

// Group sets apart parameters of a model, by name: another learning rate or weight decay
// for some, none for others. A parameter belongs to the first group of Loop.Groups that
// has it, and to none where none has. All are updated in one dispatch, as without groups.
type Group struct {
	// Match is what the names begin with: "0." for the first layer of a Sequential,
	// "3.bias" for one array. Select, where there is one, says it in another way.
	Match  string
	Select func(name string) bool `json:"-"`

	Rate   float64 // times the learning rate; default 1
	Decay  float64 // weight decay in place of the optimizer's; 0 keeps that, negative is none
	Frozen bool    // not trained at all: no gradient is computed, and no rate matters
}

func (g Group) has(name string) bool {
	if g.Select != nil {
		return g.Select(name)
	}
	return strings.HasPrefix(name, g.Match)
}

// groupOf is the first group that has a parameter, -1 for none.
func groupOf(groups []Group, name string) int {
	for i, g := range groups {
		if g.has(name) {
			return i
		}
	}
	return -1
}

// checkGroups returns an error where a group has no parameter, or a number that is out
// of range.
func checkGroups(groups []Group, names []string) error {
	found := make([]bool, len(groups))
	for _, name := range names {
		if g := groupOf(groups, name); g >= 0 {
			found[g] = true
		}
	}
	for i, g := range groups {
		switch {
		case g.Select == nil && g.Match == "":
			return fmt.Errorf("train: group %d has neither Match nor Select", i)
		case !found[i]:
			return fmt.Errorf("train: group %d (Match %q) has no parameter, want some of %s", i, g.Match, strings.Join(names, ", "))
		case g.Rate != 0 && !(positive(g.Rate) && g.Rate <= 1e6):
			return fmt.Errorf("train: group %d (Match %q): Rate is %v, want above 0, or 0 for 1", i, g.Match, g.Rate)
		case !(g.Decay >= -1e6 && g.Decay <= 1e6):
			return fmt.Errorf("train: group %d (Match %q): Decay is %v, want a number", i, g.Match, g.Decay)
		}
	}
	return nil
}

// resolved are the groups of a run as a checkpoint compares them, parameter by parameter;
// "" without groups.
func resolved(groups []Group, names []string) string {
	var text strings.Builder
	for _, name := range names {
		if i := groupOf(groups, name); i >= 0 {
			g := groups[i]
			fmt.Fprintf(&text, "%s: rate %v, decay %v, frozen %v; ", name, orElse(g.Rate, 1), g.Decay, g.Frozen)
		}
	}
	return strings.TrimSuffix(text.String(), "; ")
}

// groupRates are the rate and the weight decay of each group on a device: of the
// parameters that are in none, then of those of Loop.Groups.
type groupRates struct {
	groups []Group
	of     map[string]*compute.Param // the number of each parameter's group, once an element
	table  *compute.Param            // (groups+1, 2): times the rate, and the decay
	rates  *compute.Tensor           // likewise, the rate in place of its factor
}

// newGroupRates is nil where no parameter of the names has a rate or decay of its own.
func newGroupRates(groups []Group, s *State) *groupRates {
	own := false
	for _, g := range groups {
		own = own || !g.Frozen && (orElse(g.Rate, 1) != 1 || g.Decay != 0)
	}
	if !own {
		return nil
	}
	r := &groupRates{groups: groups, of: map[string]*compute.Param{}, table: compute.NewParam("train.groups", len(groups)+1, 2)}
	r.table.Frozen = true
	for i, name := range s.Names {
		p := compute.NewParam("group of "+name, s.Params[i].Shape...)
		p.Frozen = true
		for k := range p.Data {
			p.Data[k] = float32(1 + groupOf(groups, name))
		}
		r.of[name] = p
	}
	return r
}

// arrays are all that it holds on a device; there are none of nil ones.
func (r *groupRates) arrays() (all []*compute.Param) {
	if r == nil {
		return nil
	}
	for _, p := range r.of {
		all = append(all, p)
	}
	return append(all, r.table)
}

// record records the rates of an update, with the optimizer's own decay.
func (r *groupRates) record(t *compute.Tape, rate *compute.Param, decay float64) {
	r.table.Data[0], r.table.Data[1] = 1, float32(decay)
	for i, g := range r.groups {
		own := decay
		if g.Decay != 0 {
			own = max(g.Decay, 0)
		}
		r.table.Data[2*i+2], r.table.Data[2*i+3] = float32(orElse(g.Rate, 1)), float32(own)
	}
	r.rates = t.NewF32(len(r.groups)+1, 2)
	groupsRatesOf.Run(groupsParams{uint32(len(r.groups) + 1)}, t.Master(rate), t.Master(r.table), r.rates)
}

type groupsParams struct{ Count uint32 }

var groupsRatesOf = compute.NewKernel("groups.rates_of", func(p groupsParams, b [][]float64) {
	rate, table, rates := b[0], b[1], b[2]
	for i := range int(p.Count) {
		rates[2*i], rates[2*i+1] = rate[0]*table[2*i], table[2*i+1]
	}
}, compute.Exact)

// rates tell the learning rate and the weight decay of an element.
type rates func(i int) (rate, decay float64)

// sameRates are those of an update without groups.
func sameRates(rate []float64, decay float32) rates {
	return func(int) (float64, float64) { return rate[0], float64(decay) }
}

// ratesOf are those of an update with groups.
func ratesOf(group, table []float64) rates {
	return func(i int) (float64, float64) {
		own := 2 * int(group[i])
		return table[own], table[own+1]
	}
}
