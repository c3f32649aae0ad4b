package compiler

import (
	"slices"
	"testing"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/shader"
)

// Kernels of users that a chain could mistake: doubledFinish has a function that is
// called like a slot but does something, and addNamed a local that is called like an
// array of what it is chained to.
var (
	doubledFinish = declare(of(must(shader.Parse("doubled_finish", `// doubled_finish: y = 2 x.
// x, y are (n)
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const block: u32 = 64u;
fn finish(i: u32, v: f32) -> f32 { return v * 2.0; }
// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = finish(i, x[i]);
}
`))), "doubled_finish.forward", func(p linkParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = 2 * x
		}
	}, ir.Exact)
	addNamed = declare(of(must(shader.Parse("add_named", `// add_named: total += by u.
// u, total are (n)
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;
const block: u32 = 64u;
const accumulate: bool = true;
// invocations: n
@compute @workgroup_size(block)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var y = params.by * u[i];
    if accumulate { y += total[i]; }
    total[i] = y;
}
`))), "add_named.add", func(p linkParams, b [][]float64) {
		for i, u := range b[0] {
			b[1][i] += float64(p.By) * u
		}
	}, ir.Exact)
)

// TestChainNames chains kernels whose names mislead.
func TestChainNames(t *testing.T) {
	dev := must(open(t.Context()))
	defer dev.Close()
	const n = 5
	for name, c := range map[string]struct {
		first, then *ir.Kernel
		want        []float32
	}{
		"a function called finish": {doubledFinish, linkScale, []float32{6, 12, 18, 24, 30}},
		"a local called y":         {linkScale, addNamed, []float32{9, 18, 27, 36, 45}},
	} {
		t.Run(name, func(t *testing.T) {
			tape := newTape(dev)
			x, between, y := tape.Input("x", ir.F32, n), tape.New(n), tape.Zeros(n)
			tape.Keep(y)
			c.first.Run(linkParams{n, 3}, x, between)
			c.then.Run(linkParams{n, 3}, between, y)
			p, err := Compile(tape)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			got := make([]float32, n)
			if err := p.Write(x, []float32{1, 2, 3, 4, 5}); err != nil {
				t.Fatal(err)
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Read(t.Context(), y, got); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

// TestGuardsF16 verifies a tape of more than a thousand tensors that are stored as f16,
// which must hold what stands behind them.
func TestGuardsF16(t *testing.T) {
	dev := must(open(t.Context()))
	defer dev.Close()
	if err := dev.Stores(ir.F16); err != nil {
		t.Skip(err) // suite TestCheckF16 wants the error
	}
	tape := newTape(dev)
	tape.Storage = ir.F16
	x := tape.Input("x", ir.F32, 5)
	for range 1100 {
		tape.New(1)
	}
	for range 2 {
		y := tape.New(5)
		tape.Keep(y)
		linkScale.Run(linkParams{5, 3}, x, y)
	}
	found, err := Verify(t.Context(), tape, func(p *Program) error { return p.Write(x, []float32{1, 2, 3, 4, 5}) })
	if err != nil || len(found) != 2 {
		t.Fatalf("found %v, %v, want two dispatches", found, err)
	}
	for _, one := range found {
		if !one.Legal {
			t.Error(one)
		}
	}
}

// lengthly is right as f32, and wrong as f16, where an array's length counts padding.
var lengthly = declare(of(must(shader.Parse("lengthly", `// lengthly: y = x.
// x, y are (n).
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= min(params.n, arrayLength(&x)) { return; }
    y[id.x] = x[id.x];
}
`))), "lengthly.forward", func(p linkParams, b [][]float64) { copy(b[1], b[0]) }, ir.Exact)

// TestWrongAsF16 takes a kernel that is wrong as f16 where its tensors are f32, though
// others of the program are f16.
func TestWrongAsF16(t *testing.T) {
	dev := must(open(t.Context()))
	defer dev.Close()
	if err := dev.Stores(ir.F16); err != nil {
		t.Skip(err) // suite TestCheckF16 wants the error
	}
	wrong, err := dev.CheckF16(lengthly)
	if err != nil || wrong[lengthly] == "" {
		t.Fatalf("it is right as f16 too: %v, %v", wrong, err)
	}
	tape := newTape(dev)
	tape.Storage = ir.F16
	x, y := tape.Input("x", ir.F32, 5), tape.NewF32(5)
	lengthly.Run(linkParams{5, 1}, x, y)
	z := tape.New(5)
	tape.Keep(z)
	ir.Cast.Run(ir.CastParams{N: 5}, y, z)
	p, err := Compile(tape)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}

// of is the source of a kernel whose shader is there.
func of(s *shader.Shader) func(string) (*shader.Shader, error) {
	return func(string) (*shader.Shader, error) { return s, nil }
}
