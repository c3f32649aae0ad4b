package compute_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// lookAlike declares a kernel of a line of declarations and a body that looks like y = x
// element by element.
func lookAlike(name, decls, body string, define func(x, y float64, i int, all []float64) float64) *compute.Kernel {
	text := fmt.Sprintf(`// %s: y looks like x.
// x, y are (n)
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
%s
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    %s
}
`, name, decls, body)
	return compute.NewKernelFS(fstest.MapFS{name + ".wgsl": {Data: []byte(text)}}, name+".forward", func(_ copyParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = define(x, b[1][i], i, b[0])
		}
	}, compute.Exact)
}

const (
	lookIndex = "let i = id.y * groups.x * 64u + id.x; "
	lookGuard = lookIndex + "if i >= params.n { return; } "
)

// positive is 2 x where x is positive, and else nothing: what stands there stays.
func positive(x, y float64, _ int, _ []float64) float64 {
	if x <= 0 {
		return y
	}
	return 2 * x
}

func times(by float64) func(x, y float64, i int, all []float64) float64 {
	return func(x, _ float64, _ int, _ []float64) float64 { return by * x }
}

// lookAlikes are kernels that a pass could take for others: the guard is more than the
// bound, or a name is one that a chain makes or uses.
var lookAlikes = []*compute.Kernel{
	lookAlike("guard_or", "", lookIndex+"if i >= params.n || x[i] <= 0.0 { return; } y[i] = 2.0 * x[i];", positive),
	lookAlike("guard_and", "", lookIndex+"if i < params.n && x[i] > 0.0 { y[i] = 2.0 * x[i]; }", positive),
	lookAlike("guard_later", "", lookGuard+"if x[i] <= 0.0 { return; } y[i] = 2.0 * x[i];", positive),
	lookAlike("guard_around", "", lookGuard+"if x[i] > 0.0 { y[i] = 2.0 * x[i]; }", positive),
	lookAlike("neighbour", "", lookGuard+"y[i] = x[(i + 1u) % params.n];", func(_, _ float64, i int, all []float64) float64 { return all[(i+1)%len(all)] }),
	lookAlike("post", "", lookGuard+"for (var k = 0u; k < 2u; y[0] = 5.0) { k++; } if i > 0u { y[i] = x[i]; }", func(x, _ float64, i int, _ []float64) float64 {
		if i == 0 {
			return 5
		}
		return x
	}),
	lookAlike("const_i", "const i = 3u;", "let at = id.y * groups.x * 64u + id.x; if at >= params.n { return; } y[at] = f32(i) * x[at];", times(3)),
	lookAlike("const_handed", "const handed = 0.5;", lookGuard+"y[i] = handed * x[i];", times(0.5)),
	lookAlike("local_finish", "", lookGuard+"let finish = 4.0; y[i] = finish * x[i];", times(4)),
	lookAlike("later_name", "const k = 2u;", lookGuard+"let v = x[k]; { let k = i; y[k] = v; }", func(_, _ float64, _ int, all []float64) float64 { return all[2] }),
	lookAlike("later_index", "const k = 2u;", "let at = id.y * groups.x * 64u + id.x; if at >= params.n { return; } let v = x[k]; let k = at; y[k] = v;", func(_, _ float64, _ int, all []float64) float64 { return all[2] }),
	lookAlike("own_min", "fn min(a: f32, b: f32) -> f32 { return a + b; }", lookGuard+"y[i] = min(x[i], 1.0);", func(x, _ float64, _ int, _ []float64) float64 { return x + 1 }),
	lookAlike("twice_declared", "", "let v = 1.0; "+lookIndex+"if i < params.n { let v = 2.0 * x[i]; y[i] = v; }", times(2)),
	lookAlike("adds_by_variable", "var<private> accumulate: bool = true;", lookGuard+"var v = x[i]; if accumulate { v += y[i]; } y[i] = v;", func(x, y float64, _ int, _ []float64) float64 { return y + x }),
}

// TestLookAlikes wants the same numbers of the compiled program, the uncompiled one and
// the reference device.
func TestLookAlikes(t *testing.T) {
	const n = 9
	programs := func(t *testing.T, dev *compute.Device, k *compute.Kernel, without ...string) []float32 {
		t.Helper()
		tape := compute.NewTape(dev)
		x, a, b, y := tape.Input("x", compute.F32, n), tape.New(n), tape.Zeros(n), tape.Zeros(n)
		copied.Run(copyParams{n}, x, a)
		k.Run(copyParams{n}, a, b)
		copied.Run(copyParams{n}, b, y)
		tape.Keep(y)
		p, err := tape.Compile(without...)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		in, out := make([]float32, n), make([]float32, n)
		for i := range in {
			in[i] = float32(i) - 4
		}
		if err := errors.Join(p.Write(x, in), p.Run(ctx), p.Read(ctx, y, out)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	dev := devicetest.Open(t)
	for _, k := range lookAlikes {
		t.Run(k.Name(), func(t *testing.T) {
			want := programs(t, compute.Reference(), k)
			plain, compiled := programs(t, dev, k, devicetest.Passes()...), programs(t, dev, k)
			for i, w := range want {
				if plain[i] != w || compiled[i] != w {
					t.Errorf("element %d: compiled %v, uncompiled %v, by definition %v", i, compiled[i], plain[i], w)
				}
			}
		})
	}
}

// TestChainAddsBetween wants a link that adds to a tensor that has a value, and hands the
// sum on, to add to that tensor, not to the one that the chain ends with.
func TestChainAddsBetween(t *testing.T) {
	dev := devicetest.Open(t)
	if !devicetest.RunsOn(turned, dev) {
		t.Skip("the device was opened with too little workgroup memory for turned")
	}
	const n = 9
	for _, without := range [][]string{nil, devicetest.Passes()} {
		tape := compute.NewTape(dev)
		x, a, sum, y := tape.Input("x", compute.F32, n), tape.New(n), tape.New(n), tape.Zeros(n)
		copied.Run(copyParams{n}, x, sum)
		turned.Run(struct{ N uint32 }{n}, sum, y) // sum cannot be handed on
		copied.Run(copyParams{n}, x, a)
		summing.Run(copyParams{n}, a, sum)
		z := tape.New(n)
		copied.Run(copyParams{n}, sum, z)
		tape.Keep(y, z)
		p, err := tape.Compile(without...)
		if err != nil {
			t.Fatal(err)
		}
		in, out := ramp(n), make([]float32, n)
		err = errors.Join(p.Write(x, in), p.Run(ctx), p.Read(ctx, z, out), p.Close())
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range in {
			if out[i] != 2*v {
				t.Errorf("without %v: element %d is %v, want %v", without, i, out[i], 2*v)
			}
		}
	}
}

var summing = lookAlike("summing", "const accumulate: bool = true;", lookGuard+"var v = x[i]; if accumulate { v += y[i]; } y[i] = v;", func(x, y float64, _ int, _ []float64) float64 { return y + x })
