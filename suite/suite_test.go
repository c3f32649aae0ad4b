package suite

import (
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestOps runs the first shape of each op, with the plain values and those that
// flush, so that an op that cannot be recorded shows here.
func TestOps(t *testing.T) {
	var ops []conform.Op
	for _, op := range Ops() {
		if op.Name == "relu/long" || op.Name == "linear/long" {
			continue // demo conform runs them
		}
		op.Shapes, op.Patterns = op.Shapes[:1], []string{"uniform", "mixed"}
		ops = append(ops, op)
	}
	conform.TestOps(t, devicetest.Open(t), ops...)
}

// TestComplete wants every kernel of Pumice in a case.
func TestComplete(t *testing.T) {
	dev := devicetest.Open(t)
	seen := map[string]bool{}
	for _, op := range Ops() {
		for _, shape := range op.Shapes {
			for _, name := range conform.Kernels(dev, conform.Case{Op: &op, Shape: shape, Pattern: "uniform", Seed: 1}) {
				seen[name] = true
			}
		}
	}
	for _, k := range compute.Kernels() {
		if !seen[k.Name()] {
			t.Errorf("no case runs %s", k.Name())
		}
	}
}
