package suite

import (
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/shaders"
)

// TestRulesFire wants a case for every rule that operations hand to tapes in which it is
// taken, by the device or by name, or lacks kernels that only other devices run, and a case for every pass and
// every rewriting of texts in which it takes effect.
func TestRulesFire(t *testing.T) {
	dev := devicetest.Open(t)
	handed, taken, lacked := map[string]bool{}, map[string]bool{}, map[string]bool{}
	look := func(op *conform.Op, shape string, storage compute.DType, merges bool) {
		fired, err := conform.Rules(dev, conform.Case{Op: op, Shape: shape, Pattern: "uniform", Seed: 1, Storage: storage}, merges)
		if err != nil {
			t.Errorf("%s/%s: %v", op.Name, shape, err)
		}
		for names, all := range map[*[]string]map[string]bool{&fired.Handed: handed, &fired.Taken: taken, &fired.Lacked: lacked} {
			for _, name := range *names {
				all[name] = true
			}
		}
	}
	ops := Ops()
	for i, op := range ops {
		for _, shape := range op.Shapes {
			look(&ops[i], shape, compute.F32, false)
		}
	}
	// Merging and rewriting need no more than whole steps of training.
	for i, op := range ops {
		if strings.HasPrefix(op.Name, "train/") {
			look(&ops[i], op.Shapes[1], compute.F32, true)
			if dev.Stores(compute.F16) == nil {
				look(&ops[i], op.Shapes[1], compute.F16, true)
			}
		}
	}
	rewritings := []string{"accumulate", "batch", "chain", "join", "specialise"}
	if dev.Stores(compute.F16) == nil {
		rewritings = append(rewritings, "store f16")
	}
	k := (*ir.Kernel)(kernel("tanh.forward"))
	_, texts := k.Shader().Rewritings(k.Entry().Name, nil, nil)
	if len(texts) == 0 {
		t.Error("no rewritings of texts")
	}
	for _, name := range slices.Concat(rewritings, texts) {
		if !taken[name] {
			t.Errorf("no case in which %s takes effect", name)
		}
	}
	if len(handed) == 0 {
		t.Error("no rules")
	}
	for name := range handed {
		if !taken[name] && !lacked[name] {
			t.Errorf("no case takes the rule %s", name)
		}
	}
}

// TestChained wants each kernel that works element by element in a case in which Chain
// hands it a result.
func TestChained(t *testing.T) {
	dev := devicetest.Open(t)
	cases := map[string]bool{}
	for _, op := range chained() {
		cases[op.Name] = true
		fired, err := conform.Rules(dev, conform.Case{Op: &op, Shape: op.Shapes[0], Pattern: "uniform", Seed: 1}, true)
		if err != nil || !slices.Contains(fired.Taken, "chain") {
			t.Errorf("%s: %v, %v, want a chain", op.Name, fired.Taken, err)
		}
	}
	for _, name := range shaders.Names() {
		s, err := shader.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if arrays := s.Pointwise(e); len(arrays) > 0 && !cases["chained/"+name+"."+e.Name] {
				t.Errorf("%s.%s can be handed %v, and no case does", name, e.Name, arrays)
			}
		}
	}
}
