package suite

import (
	"slices"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// TestTestable wants every kernel of Pumice to be tested when a device first uses it.
func TestTestable(t *testing.T) {
	for _, k := range ir.Kernels() {
		if err := k.Testable(); err != nil {
			t.Error(err)
		}
	}
}

// stepKernels are those of an MLP's training step.
func stepKernels(dev *compute.Device) (kernels []*ir.Kernel) {
	ops := Ops()
	step := ops[slices.IndexFunc(ops, func(op conform.Op) bool { return op.Name == "train/mlp" })]
	names := conform.Kernels(dev, conform.Case{Op: &step, Shape: step.Shapes[0], Pattern: "uniform", Seed: 1})
	for _, k := range ir.Kernels() {
		if slices.Contains(names, k.Name()) {
			kernels = append(kernels, k)
		}
	}
	return kernels
}

// TestCheck tests all kernels as at their first use, and logs how long that takes.
func TestCheck(t *testing.T) {
	t.Setenv("PUMICE_CACHE", t.TempDir())
	dev, kernels, began := devicetest.Fresh(t), ir.Kernels(), time.Now()
	wrong, err := devicetest.Machine(dev).Check(kernels...)
	if err != nil || len(wrong) > 0 {
		t.Errorf("%v, %v", wrong, err)
	}
	t.Logf("%d kernels: %v", len(kernels), time.Since(began).Round(time.Millisecond))
}
