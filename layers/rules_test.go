package layers

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
)

// operations are the lists of rules of all operations here.
func operations() map[string][]ir.Rule {
	return map[string][]ir.Rule{"matmul": matmulRules(), "conv2d": convRules(), "max_pool2d": maxPool2DRules(), "softmax_cross_entropy": crossEntropyRules()}
}

// variantsOf are the variants of a kernel, the preferred first, and plain.
func variantsOf(k *compute.Kernel) []string {
	t := compute.NewTape(compute.Reference())
	for _, rules := range operations() {
		rule.Use(t, rules...)
	}
	return append((*ir.Tape)(t).Variants((*ir.Kernel)(k)), "plain")
}

// TestRulesOrder wants the rules in their order: those that do with fewer products before
// those that take every shape, those for GPUs of a convolution before those for
// processors.
func TestRulesOrder(t *testing.T) {
	tiles := []string{"workgroup128deep", "workgroup128", "workgroup64", "workgroup32", "workgroup16", "direct_depthwise", "direct"}
	conv := slices.Concat([]string{"matmul", "winograd4", "winograd2"}, tiles, []string{"subgroup8", "subgroup4", "tiled", "plain"})
	for k, want := range map[*compute.Kernel][]string{
		convForward:   conv,
		convBackwardX: conv,
		convSplit:     slices.Concat(tiles, []string{"looked_up", "tiled", "plain"}),
		matmulForward: {
			"subgroup8x4", "subgroup4x4", "subgroup8x32", "subgroup8", "subgroup4", "subgroup4x8", "matvec", "split",
			"workgroup128deep", "workgroup128", "workgroup64", "workgroup32", "skinny", "plain",
		},
		maxPool2DForward:       {"pairs", "plain"},
		maxPool2DBackward:      {"pairs", "plain"},
		maxPool2DPairsBackward: {"plain"},
		reluForward:            {"plain"},
	} {
		if diff := cmp.Diff(want, variantsOf(k)); diff != "" {
			t.Errorf("%s, want -, got +:\n%s", k.Name(), diff)
		}
	}
}

// TestRulesStand wants each kernel's rules in one list, so that their order is its.
func TestRulesStand(t *testing.T) {
	from := map[*ir.Kernel]string{}
	for name, rules := range operations() {
		for _, r := range rules {
			if other := from[r.Of[0]]; other != "" && other != name {
				t.Errorf("rules of %s are in the lists %s and %s: which comes first?", r.Of[0].Name(), other, name)
			}
			from[r.Of[0]] = name
		}
	}
}

// TestRulesHanded wants the same kernels whatever else was recorded before, for a tape
// takes an operation's rules in their own order.
func TestRulesHanded(t *testing.T) {
	var all []string
	for name := range operations() {
		all = append(all, name)
	}
	slices.Sort(all)
	var first map[string][]string
	for range len(all) {
		all = append(all[1:], all[0])
		tape := compute.NewTape(compute.Reference())
		for _, name := range append(slices.Clone(all), all...) { // which hands them twice
			rule.Use(tape, operations()[name]...)
		}
		got := map[string][]string{}
		for _, k := range ir.Kernels() {
			got[k.Name()] = (*ir.Tape)(tape).Variants(k)
		}
		if first == nil {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("handed in the order %v:\n%s", all, diff)
		}
	}
}
