package suite

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// TestCheckF16 tests kernels with f16 in the place of every f32, as a program that
// stores tensors so does at their first use, or wants a device without f16 to say so:
// all kernels, or without PUMICE_TESTS=full those of a small network's training step, for
// TestF16 runs each op.
func TestCheckF16(t *testing.T) {
	t.Setenv("PUMICE_CACHE", t.TempDir())
	dev := devicetest.Fresh(t)
	kernels := ir.Kernels()
	if !devicetest.Full() {
		kernels = stepKernels(dev)
	}
	wrong, err := devicetest.Machine(dev).CheckF16(kernels...)
	if dev.Stores(compute.F16) != nil {
		if !errors.Is(err, compute.ErrFeature) || !strings.Contains(err.Error(), "shader-f16") {
			t.Errorf("got %v, want ErrFeature and the name of the feature", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for k, reason := range wrong {
		if k.Name() == "softmax_cross_entropy_gradient.forward" {
			continue // it reads back lse, which layers keep as f32: as f16 that rounds
		}
		t.Errorf("%s: %s", k.Name(), reason)
	}
}

// TestF16 runs one shape of each op with activations, gradients and weights stored as
// f16, or two with PUMICE_TESTS=full, as demo conform does.
func TestF16(t *testing.T) {
	dev := devicetest.Open(t)
	if dev.Stores(compute.F16) != nil {
		t.Skip("the device has no f16; TestCheckF16 wants it to say so")
	}
	devicetest.NoLeaks(t, dev)
	var ops []conform.Op
	for _, op := range Ops() {
		if op.Name != "relu/long" && op.Name != "linear/long" && op.Name != "conv2d/large" { // demo conform runs them
			ops = append(ops, op)
		}
	}
	cases := conform.CasesF16(ops, 7)
	if !devicetest.Full() {
		cases = slices.DeleteFunc(cases, func(c conform.Case) bool { return c.Shape != c.Op.Shapes[len(c.Op.Shapes)/2] })
	}
	report, err := conform.Run(context.Background(), dev, ops, conform.Options{Cases: cases})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Bad() {
		t.Errorf("%s: %s %s %v", c.Verdict, c.Name, c.Error, c.Differences)
		for _, check := range c.Checks {
			if check.Illegal > 0 {
				t.Errorf("%s %s: %+v", check.Kernel, check.Tensor, check.Worst)
			}
		}
	}
	stored := 0
	for _, k := range report.Kernels {
		if strings.HasSuffix(k.Name, " as f16") {
			stored++
		}
	}
	if t.Logf("%d cases, %d kernels store f16", len(report.Cases), stored); stored < 30 {
		t.Errorf("%d kernels store f16, want 30 or more", stored)
	}
}

// TestPassesF16 wants the same weights, bit for bit, without the passes that place and
// join what is f16 beside f32, and less memory than with f32.
func TestPassesF16(t *testing.T) {
	dev := devicetest.Open(t)
	if dev.Stores(compute.F16) != nil {
		t.Skip("the device has no f16; TestCheckF16 wants it to say so")
	}
	for _, name := range []string{"cnn", "mlp"} {
		t.Run(name, func(t *testing.T) {
			var held, whole int64
			trained(t, dev, networks[name], compute.F32, func(p *compute.Program) { whole, _ = p.Memory() })
			launches := 0
			want := trained(t, dev, networks[name], compute.F16, func(p *compute.Program) {
				held, _ = p.Memory()
				launches = count(t, p)
			})
			if t.Logf("the step holds %d bytes in %d launches, with f32 %d bytes", held, launches, whole); held >= whole && name == "cnn" { // the other adds f16 copies of its weights
				t.Errorf("the step holds %d bytes, want less than the %d of f32", held, whole)
			}
			passes := []string{"chain", "join", "plan", "fuse", "overwrite", "batch"}
			if name == "cnn" && !devicetest.Full() {
				passes = passes[:3]
			}
			for _, pass := range passes {
				got := trained(t, dev, networks[name], compute.F16, func(p *compute.Program) {
					if n := count(t, p); pass == "chain" && name == "mlp" && n <= launches { // the other has nothing to hand on
						t.Errorf("%d launches without %s, %d with it", n, pass, launches)
					}
				}, pass)
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Errorf("without %s: weight %d is %v, want %v", pass, i, got[i], want[i])
						break
					}
				}
			}
		})
	}
}
