package suite

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestTestable wants every kernel of Pumice to be tested when a device first uses it.
func TestTestable(t *testing.T) {
	for _, k := range compute.Kernels() {
		if err := k.Testable(); err != nil {
			t.Error(err)
		}
	}
}

// TestCheck tests all kernels as at their first use, and logs how long that takes
// with those of a training step.
func TestCheck(t *testing.T) {
	t.Setenv("PUMICE_CACHE", t.TempDir())
	open := func() *compute.Device {
		dev, err := compute.Open(context.Background(), compute.Want{Name: devicetest.Open(t).Info().Name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		return dev
	}
	ops := Ops()
	step := ops[slices.IndexFunc(ops, func(op conform.Op) bool { return op.Name == "train/cnn" })]
	names := conform.Kernels(open(), conform.Case{Op: &step, Shape: step.Shapes[0], Pattern: "uniform", Seed: 1})
	for _, part := range []struct {
		name string
		of   func(*compute.Kernel) bool
	}{
		{"of a CNN's training step", func(k *compute.Kernel) bool { return slices.Contains(names, k.Name()) }},
		{"in all", func(*compute.Kernel) bool { return true }},
	} {
		var kernels []*compute.Kernel
		for _, k := range compute.Kernels() {
			if part.of(k) {
				kernels = append(kernels, k)
			}
		}
		began := time.Now()
		wrong, err := open().Check(kernels...)
		if err != nil || len(wrong) > 0 {
			t.Errorf("%v, %v", wrong, err)
		}
		t.Logf("%d kernels %s: %v", len(kernels), part.name, time.Since(began).Round(time.Millisecond))
	}
}
