package compiler

import (
	"testing"

	"github.com/pumice-ml/pumice/internal/engine"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// addOne is y += x, of one workgroup or more.
var addOne = declare(of(must(shader.Parse("add_one", `// add_one: y = x + 1.
// x, y are (n)
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = x[id.x] + 1.0; }
}
`))), "add_one.forward", func(p oneParams, b [][]float64) {
	for i, x := range b[0] {
		b[1][i] = x + 1
	}
}, ir.Exact)

type oneParams struct{ N uint32 }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestJoin wants independent dispatches in one launch, in an order that keeps to what
// depends on what, and no more buffers in a launch than the device binds.
func TestJoin(t *testing.T) {
	dev := must(open(t.Context(), engine.Want{DefaultLimits: true}))
	defer dev.Close()
	tape := newTape(dev)
	add := func(x *ir.Tensor) *ir.Tensor {
		y := tape.New(x.Len())
		addOne.Run(oneParams{uint32(x.Len())}, x, y)
		return y
	}
	a, b := tape.Input("a", ir.F32, 100), tape.Input("b", ir.F32, 70)
	a1 := add(a)
	a2 := add(a1) // after a1
	b1 := add(b)  // may go with a1
	b2 := add(b1) // may go with a2
	a3 := add(a2) // after a2, though nothing keeps it from sharing a launch with a1
	for _, y := range []*ir.Tensor{a2, b2, a3} {
		tape.Keep(y)
	}
	for range 6 { // with 2 buffers each: 4 in a launch
		tape.Keep(add(tape.Input("c", ir.F32, 10)))
	}
	p := must(Compile(tape))
	defer p.Close()
	var kernels []string
	for _, s := range must(p.Steps()) {
		kernels = append(kernels, s.Kernel)
	}
	seen := map[*ir.Slot]int{}
	for i, l := range p.list {
		if len(l.Tensors) > 8 {
			t.Errorf("launch %d binds %d tensors", i, len(l.Tensors))
		}
		parts := l.Plain
		if parts == nil {
			parts = []ir.Dispatch{l}
		}
		for _, d := range parts {
			if from, ok := seen[d.Tensors[0].Base()]; !d.Tensors[0].Base().Input && (!ok || from >= i) {
				t.Errorf("launch %d reads what no earlier launch writes", i)
			}
			seen[d.Tensors[1].Base()] = i
		}
	}
	if n := len(p.list); n != 3 {
		t.Errorf("%d launches: %v, want 3", n, kernels)
	}
	values := make([]float32, 100)
	for i := range values {
		values[i] = float32(i)
	}
	if err := p.Write(a, values); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(b, values[:70]); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for y, more := range map[*ir.Tensor]int{a2: 2, b2: 2, a3: 3} {
		got := make([]float32, y.Len())
		if err := p.Read(t.Context(), y, got); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != float32(i+more) {
				t.Fatalf("element %d of %v is %v, want %v", i, y, v, i+more)
			}
		}
	}
}
