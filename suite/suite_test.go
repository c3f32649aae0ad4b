package suite

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// TestOps runs the first shape of each op, with the plain values and those that
// flush, so that an op that cannot be recorded shows here; with PUMICE_TESTS=full each
// variant of their kernels too, which demo conform runs.
func TestOps(t *testing.T) {
	var ops []conform.Op
	for _, op := range Ops() {
		if op.Name == "relu/long" || op.Name == "linear/long" {
			continue // demo conform runs them
		}
		op.Shapes, op.Patterns = op.Shapes[:1], []string{"uniform", "mixed"}
		ops = append(ops, op)
	}
	if devicetest.Full() {
		conform.TestOps(t, devicetest.Open(t), ops...)
		return
	}
	report, err := conform.Run(context.Background(), devicetest.Open(t), ops, conform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Bad() {
		t.Errorf("%s: %s %s %v %+v", c.Verdict, c.Name, c.Error, c.Differences, c.Checks)
	}
	if len(report.Cases) < len(ops) {
		t.Errorf("%d cases of %d ops", len(report.Cases), len(ops))
	}
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
	for _, k := range ir.Kernels() {
		if !strings.HasPrefix(k.Name(), "random_") && !seen[k.Name()] && devicetest.RunsOn((*compute.Kernel)(k), dev) { // TestKernels declares those
			t.Errorf("no case runs %s", k.Name())
		}
	}
}

// TestFunctions measures each function on 2^17 inputs of all sizes, at once and in
// two parts.
func TestFunctions(t *testing.T) {
	ctx, dev := context.Background(), devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	const step = 1 << 15
	for _, f := range Functions() {
		whole, err := conform.Measure(ctx, dev, f, conform.Accuracy{}, step, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if !whole.OK() || whole.Inputs < 50_000 || whole.ULP == 0 || whole.Next != 1<<32 {
			t.Errorf("%+v", whole)
		}
		first, err := conform.Measure(ctx, dev, f, conform.Accuracy{}, step, 70_000)
		second, err2 := conform.Measure(ctx, dev, f, first, step, 1<<20)
		if err := errors.Join(err, err2); err != nil || second != whole || first.Inputs >= whole.Inputs {
			t.Errorf("in two parts: %+v, then %+v, %v; at once %+v", first, second, err, whole)
		}
		if f.Promise = float64(whole.ULP) / 2; f.Promise > 0 {
			if a, err := conform.Measure(ctx, dev, f, conform.Accuracy{}, step, 1<<20); err != nil || a.OK() {
				t.Errorf("%s keeps a promise of half of what it needs: %+v, %v", f.Name, a, err)
			}
		}
	}
}

// TestDrifts trains by the definitions and on a device.
func TestDrifts(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	all, err := Drifts(context.Background(), dev)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d models, %v", len(all), err)
	}
	for _, d := range all {
		if !d.OK() || d.Worst == 0 || d.Last > d.First/2 {
			t.Errorf("%v: want a loss that halves, and a difference that is small but there", d)
		}
	}
}
