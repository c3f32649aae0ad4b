package layers

import (
	"context"
	"math"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/layers/layertest"
)

func TestDropout(t *testing.T) {
	layertest.Run(t, Dropout{0.3}, layertest.Shape(1), layertest.Shape(7, 41))
	layertest.Run(t, Sequential{Dropout{0.5}, ReLU{}, Dropout{0.9}}, layertest.Shape(3, 67))
}

func TestDropoutKeeps(t *testing.T) {
	const n, p = 40_000, 0.3
	values := map[bool][]float32{}
	for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
		values[dev.IsReference()] = drop(t, dev, Dropout{p}, n, 1, 1)
	}
	kept := 0
	for i, got := range values[false] {
		if got != values[true][i] {
			t.Fatalf("element %d: GPU %v, reference %v", i, got, values[true][i])
		}
		switch got {
		case 0:
		case float32(1 / (1 - p)):
			kept++
		default:
			t.Fatalf("element %d is %v, want 0 or %v", i, got, 1/(1-p))
		}
	}
	// Five standard deviations of a binomial count.
	if off := math.Abs(float64(kept) - n*(1-p)); off > 5*math.Sqrt(n*p*(1-p)) {
		t.Errorf("kept %d of %d, want about %v", kept, n, n*(1-p))
	}
	// A number equal to P keeps its element.
	edge := Dropout{float64(compute.Uniform(compute.RandomBits(1, 1, 1, 5)[0]))}
	for _, dev := range []*compute.Device{compute.Reference(), devicetest.Open(t)} {
		if got := drop(t, dev, edge, 6, 1, 1)[5]; got != float32(1/(1-edge.P)) {
			t.Errorf("%v: element at the edge is %v, want it kept", dev, got)
		}
	}
	// Another step, and another seed, is another mask: 42% of the elements differ.
	for name, other := range map[string][]float32{
		"step": drop(t, compute.Reference(), Dropout{p}, n, 2, 1),
		"seed": drop(t, compute.Reference(), Dropout{p}, n, 1, 2),
	} {
		differ := 0
		for i := range other {
			if other[i] != values[true][i] {
				differ++
			}
		}
		if math.Abs(float64(differ)/n-2*p*(1-p)) > 0.02 {
			t.Errorf("another %s: %d of %d elements differ, want about %v", name, differ, n, 2*p*(1-p)*n)
		}
	}
}

// drop is the layer's result on ones.
func drop(t *testing.T, dev *compute.Device, l Dropout, n int, step, seed uint32) []float32 {
	t.Helper()
	tape := compute.NewTape(dev)
	tape.Training = true
	tape.Clock = &compute.Param{Name: "clock", Shape: []int{2}, Ints: []uint32{step, seed}, Frozen: true}
	x := tape.Input("x", compute.F32, n)
	y := l.Forward(tape, x)
	tape.Keep(y)
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	got := make([]float32, n)
	run(t, tape, map[*compute.Tensor][]float32{x: ones}, map[*compute.Tensor][]float32{y: got})
	dev.Forget(tape.Clock)
	return got
}

// run compiles the tape, writes, runs it once and reads.
func run(t *testing.T, tape *compute.Tape, write, read map[*compute.Tensor][]float32) {
	t.Helper()
	ctx := context.Background()
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for x, v := range write {
		if err := p.Write(x, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for x, v := range read {
		if err := p.Read(ctx, x, v); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDropoutRecordsNothing(t *testing.T) {
	tape := compute.NewTape(compute.Reference())
	x := tape.Input("x", compute.F32, 3)
	if y := (Dropout{0.5}).Forward(tape, x); y != x || len(devicetest.Dispatches(tape)) != 0 {
		t.Errorf("evaluation: got %v and %d dispatches, want x and none", y, len(devicetest.Dispatches(tape)))
	}
	panics(t, "layers: Dropout: P is 1, want 0 <= P < 1", func() { Dropout{1}.Forward(tape, x) })
	tape.Training = true
	panics(t, "compute: Tape.Random: the tape has no Clock", func() { Dropout{0.5}.Forward(tape, x) })
}
