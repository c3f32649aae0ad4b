package layers

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// TestTune measures the variants of a product, those for other adapters and of several
// dispatches among them, and judges a program of another batch that takes what was
// chosen.
func TestTune(t *testing.T) {
	if !devicetest.Full() {
		t.Skip("the driver compiles all variants: PUMICE_TESTS=full")
	}
	t.Setenv("PUMICE_CACHE", t.TempDir())
	dev, err := compute.Open(context.Background(), compute.Want{Name: devicetest.Open(t).Info().Name})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	dev.Tune(true)
	product := func(m int) (*compute.Tape, func(p *compute.Program) error) {
		s := productShape{batch: 1, m: m, k: 516, n: 20}
		tape := compute.NewTape(dev)
		a, b, values := s.operands(tape)
		y := tape.Zeros(1, s.m, s.n)
		MatMul(a, b, y, s.o)
		tape.Keep(y)
		return tape, func(p *compute.Program) error { return errors.Join(p.Write(a, values[a]), p.Write(b, values[b])) }
	}
	tape, _ := product(18)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	choices := devicetest.Machine(dev).Choices()
	if len(choices) != 1 {
		t.Fatalf("choices %+v, want one", choices)
	}
	seen := map[string]bool{}
	for _, c := range choices[0].Candidates {
		seen[c.Variant] = c.Samples > 0
	}
	if _, ok := seen["split"]; !ok || len(seen) < 2 || !seen[choices[0].Variant] {
		t.Errorf("candidates %+v", choices[0].Candidates)
	}
	tape, write := product(31)
	found, err := devicetest.Verify(tape, write)
	devicetest.Check(t, found, err)
	if again := devicetest.Machine(dev).Choices(); len(again) != 1 {
		t.Errorf("a batch of the same class has a choice of its own: %+v", again)
	}
}

// TestClasses wants params in one class where they differ in the batch alone, and a
// little.
func TestClasses(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	classes := func(batch, channels int) (all []string) {
		tape := compute.NewTape(dev)
		x := tape.Input("x", compute.F32, batch, channels, 8, 8)
		y := Sequential{NewConv2D(channels, 16, 3), MaxPool2D{Size: 2}, Flatten{}, NewLinear(144, 5)}.Forward(tape, x)
		tape.Seed(y, 1)
		tape.BackwardFromGrads()
		for _, d := range devicetest.Dispatches(tape) {
			if len((*ir.Tape)(tape).Variants(d.Kernel)) > 0 {
				all = append(all, d.Kernel.Name()+" "+(*ir.Tape)(tape).Class(d))
			}
		}
		return all
	}
	some := classes(120, 2)
	if len(some) < 8 {
		t.Errorf("classes %q", some)
	}
	for _, batch := range []int{65, 128} {
		if diff := cmp.Diff(some, classes(batch, 2)); diff != "" {
			t.Errorf("batches of 120 (-) and %d (+):\n%s", batch, diff)
		}
	}
	for _, other := range [][]string{classes(129, 2), classes(64, 2)} {
		for i := range some {
			if some[i] == other[i] {
				t.Errorf("another batch by far has the class %s", some[i])
			}
		}
	}
	for i, other := range classes(120, 3) {
		if conv := i < len(some) && strings.HasPrefix(some[i], "conv2d"); conv == (other == some[i]) {
			t.Errorf("with another channel: %s and %s", some[i], other)
		}
	}
}
