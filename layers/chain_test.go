package layers

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// chained runs what is recorded with elements handed on, and without, and wants the same
// bits. It returns the launches that hand them on.
func chained(t *testing.T, dev *compute.Device, record func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor) (launches []string) {
	t.Helper()
	var first []uint32
	for _, without := range [][]compute.Pass{{compute.Join}, {compute.Join, compute.Chain}} {
		tape := compute.NewTape(dev)
		tape.Training, tape.Clock = true, compute.NewParamU32("clock", 2)
		var inputs []*compute.Tensor
		y := record(tape, func(dims ...int) *compute.Tensor {
			x := tape.Input("x", compute.F32, dims...)
			inputs = append(inputs, x)
			return x
		})
		tape.Keep(y)
		p, err := tape.Compile(without...)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for i, x := range inputs {
			v := make([]float32, x.Len())
			for j := range v {
				v[j] = 2*float32(compute.Uniform(compute.RandomBits(5, uint32(i), 0, uint32(j))[0])) - 1
			}
			if err := p.Write(x, v); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]float32, y.Len())
		for range 2 { // the second time upon what the first one left
			if err := p.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Read(context.Background(), y, got); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			steps, err := p.Steps()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				if strings.Contains(s.Kernel, "+") {
					launches = append(launches, s.Kernel)
				}
			}
			for _, v := range got {
				first = append(first, math.Float32bits(v))
			}
			continue
		}
		for i, v := range got {
			if math.Float32bits(v) != first[i] {
				t.Fatalf("%v: element %d is %v, want %v", launches, i, math.Float32frombits(first[i]), v)
			}
		}
		if slices.Max(got) == slices.Min(got) {
			t.Errorf("all elements are %v", got[0])
		}
	}
	return launches
}

// TestMatMulChain hands elements of each variant's result to a bias, an activation, and a
// sum with what was there: the same bits as one run after the other, in shapes that fill
// no tile.
func TestMatMulChain(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for _, variant := range append(matmulForward.Variants(), "plain") {
		if elsewhere(dev, variant) || variant == "subgroup8x32" { // which is subgroup8 with more rows
			continue
		}
		t.Run(variant, func(t *testing.T) {
			s := productShape{batch: 2, m: 97, k: 68, n: 131}
			if variant == "matvec" {
				s.m = 5
			}
			launches := chained(t, dev, func(tape *compute.Tape, value func(dims ...int) *compute.Tensor) *compute.Tensor {
				tape.Variant = variant
				y := tape.Zeros(s.batch, s.m, s.n)
				MatMul(value(s.batch, s.m, s.k), value(s.batch, s.k, s.n), y, s.o)
				addBias(tape, y, value(s.n), s.batch*s.m, 1)
				return Add(tape, ReLU{}.Forward(tape, y), value(s.batch, s.m, s.n))
			})
			if want := "+bias.forward+relu.forward+broadcast.add_same"; len(launches) != 1 || !strings.HasSuffix(launches[0], want) {
				t.Errorf("launches %v, want one that ends in %s", launches, want)
			} else if (variant == "plain") != strings.HasPrefix(launches[0], "matmul.forward") {
				t.Errorf("%s takes it", launches[0])
			}
		})
	}
}
