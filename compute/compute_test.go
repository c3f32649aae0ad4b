package compute_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

var ctx = context.Background()

const addText = `// add: y += x + shift, element by element.
// x, y are (n).
struct Params { n: u32, shift: f32, sign: i32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const block: u32 = 64u;
const accumulate: bool = true;
// invocations: n
// trips: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var v = f32(params.sign) * (x[i] + params.shift);
    if accumulate { v += y[i]; }
    y[i] = v;
}
// invocations: n
@compute @workgroup_size(block)
fn wrong(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = x[id.x] * 1.001; }
}
// invocations: n
@compute @workgroup_size(block)
fn beyond(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x <= params.n { y[id.x] = x[id.x]; }
}
// invocations: n
@compute @workgroup_size(block)
fn behind(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = x[id.x + 1u]; }
}
// invocations: n
@compute @workgroup_size(block)
fn half(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n / 2u { y[id.x] = x[id.x]; }
}
// invocations: n
@compute @workgroup_size(block)
fn broken(@builtin(global_invocation_id) id: vec3<u32>) {
    y[id.x] = x[id.x] + nonsense;
}
// invocations: n, n, n
@compute @workgroup_size(1)
fn cube(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = x[id.x]; }
// invocations: n
@compute @workgroup_size(1024)
fn wide(@builtin(global_invocation_id) id: vec3<u32>) { if id.x < params.n { y[id.x] = x[id.x]; } }
`

type addParams struct {
	N     uint32
	Shift float32
	Sign  int32
}

var files = fstest.MapFS{"add.wgsl": {Data: []byte(addText)}}

func addDefine(p addParams, b [][]float64) {
	for i, x := range b[0] {
		b[1][i] += float64(p.Sign) * (x + float64(p.Shift))
	}
}

func copyDefine(_ addParams, b [][]float64) { copy(b[1], b[0]) }

var (
	add    = compute.NewKernelFS(files, "add.forward", addDefine, compute.Dot(2))
	wrong  = compute.NewKernelFS(files, "add.wrong", copyDefine, compute.ULP(4))
	beyond = compute.NewKernelFS(files, "add.beyond", copyDefine, compute.Exact)
	behind = compute.NewKernelFS(files, "add.behind", func(_ addParams, b [][]float64) {
		copy(b[1], b[0][1:])
		b[1][len(b[1])-1] = b[0][len(b[0])-1]
	}, compute.Exact)
	// loose is wrong under a model that bounds nothing.
	loose = compute.NewKernelFS(files, "add.wrong", copyDefine, compute.Func(func(r *compute.Reference32) [][]float64 {
		return [][]float64{nil, slices.Repeat([]float64{math.Inf(1)}, len(r.Want[1]))}
	}))
	half   = compute.NewKernelFS(files, "add.half", func(_ addParams, b [][]float64) { copy(b[1], b[0][:len(b[0])/2]) }, compute.Exact)
	broken = compute.NewKernelFS(files, "add.broken", copyDefine, compute.Exact)
	cube   = compute.NewKernelFS(files, "add.cube", copyDefine, compute.Exact)
	wide   = compute.NewKernelFS(files, "add.wide", copyDefine, compute.Exact)
)

func run(x, y *compute.Tensor, shift float32) {
	add.Run(addParams{uint32(x.Len()), shift, -1}, x, y)
}

func devices(t *testing.T, f func(t *testing.T, dev *compute.Device)) {
	t.Run("reference", func(t *testing.T) {
		dev := compute.Reference()
		defer dev.Close()
		f(t, dev)
	})
	t.Run("gpu", func(t *testing.T) {
		dev := devicetest.Open(t)
		devicetest.NoLeaks(t, dev)
		f(t, dev)
	})
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i) - 3.5
	}
	return x
}

func TestAccumulateAndPrune(t *testing.T) {
	for _, without := range [][]string{nil, {"prune"}, {"accumulate"}, {"specialise"}, {"prune", "accumulate", "specialise"}} {
		devices(t, func(t *testing.T, dev *compute.Device) {
			tape := compute.NewTape(dev)
			x := tape.Input("x", compute.F32, 100)
			y, unread, untouched := tape.Zeros(100), tape.Zeros(100), tape.Zeros(3)
			run(x, y, 1)
			run(x, unread, 1)
			run(x, y, 2)
			tape.Keep(y, untouched)
			p, err := tape.Compile(without...)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Write(x, ramp(100)); err != nil {
				t.Fatal(err)
			}
			steps, err := devicetest.Steps(p)
			if err != nil || without == nil && len(steps) > 3 {
				t.Errorf("%d dispatches (%v), want the unread one pruned", len(steps), err)
			}
			got, zeros := make([]float32, 100), []float32{1, 1, 1}
			for range 4 { // also once measured and split anew
				if err := p.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(p.Read(ctx, y, got), p.Read(ctx, untouched, zeros)); err != nil {
					t.Fatal(err)
				}
				for i, v := range got {
					if want := -2*(float32(i)-3.5) - 3; v != want {
						t.Fatalf("without %v: y[%d] is %v, want %v", without, i, v, want)
					}
				}
				if zeros[0] != 0 || zeros[2] != 0 {
					t.Errorf("an untouched tensor of zeros reads %v", zeros)
				}
			}
		})
	}
}

// TestGridFolds runs more than 65,535 workgroups.
func TestGridFolds(t *testing.T) {
	dev := devicetest.Open(t)
	const n = 64*65535 + 77
	tape := compute.NewTape(dev)
	x, y := tape.Input("x", compute.F32, n), tape.Zeros(n)
	wrong.Run(addParams{N: 0, Sign: 1}, x, y) // no invocations: nothing happens
	copied.Run(copyParams{n}, x, y)
	tape.Keep(y)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in, out := ramp(n), make([]float32, n)
	if err := errors.Join(p.Write(x, in), p.Run(ctx), p.Read(ctx, y, out)); err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if in[i] != out[i] {
			t.Fatalf("element %d is %v, want %v", i, out[i], in[i])
		}
	}
}

type copyParams struct{ N uint32 }

var copied = compute.NewKernelFS(fstest.MapFS{"copy.wgsl": {Data: []byte(`// copy: y = x.
// x, y are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const block: u32 = 64u;
// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = x[i];
}
`)}}, "copy.forward", func(_ copyParams, b [][]float64) { copy(b[1], b[0]) }, compute.Exact)

// TestVerify finds the kernels whose result is off by a part in a thousand, that
// write behind their tensor, that use what stands there, that leave a part of their
// tensor out, and a model that bounds nothing.
func TestVerify(t *testing.T) {
	dev := devicetest.Open(t)
	for k, worst := range map[*compute.Kernel]int{add: -1, wrong: 0, beyond: 70, behind: 69, half: 35, loose: 0} {
		tape := compute.NewTape(dev)
		x, y := tape.Input("x", compute.F32, 70), tape.New(70)
		if k == add {
			y = tape.Zeros(70)
		}
		k.Run(addParams{70, 0.5, -1}, x, y)
		tape.Keep(y)
		found, err := devicetest.Verify(tape, func(p *compute.Program) error { return p.Write(x, ramp(70)) })
		if err != nil || len(found) == 0 {
			t.Fatalf("%d deviations, %v", len(found), err)
		}
		last := found[len(found)-1]
		if last.Legal != (worst < 0) || worst > 0 && last.Index != worst {
			t.Errorf("%s: %v, legal %v", k.Name(), last, last.Legal)
		}
	}
}

func TestErrors(t *testing.T) {
	dev := devicetest.Open(t)
	limits := dev.Info().Limits
	compile := func(k *compute.Kernel, n, params int) error {
		tape := compute.NewTape(dev)
		y := tape.Zeros(n)
		k.Run(addParams{N: uint32(params)}, tape.Input("x", compute.F32, n), y)
		tape.Keep(y)
		p, err := tape.Compile()
		if err == nil {
			p.Close()
		}
		return err
	}
	if err := compile(broken, 10, 10); err == nil || !strings.Contains(err.Error(), "nonsense") || !strings.Contains(err.Error(), "add.broken") {
		t.Errorf("a shader that does not compile: got %v, want the compiler's text and the kernel's name", err)
	}
	if err := compile(cube, 10, 70000); !errors.Is(err, compute.ErrLimit) {
		t.Errorf("70,000 workgroups in three dimensions: got %v, want ErrLimit", err)
	}
	if err := compile(add, 10, 70000); !errors.Is(err, compute.ErrLimit) {
		t.Errorf("70,000 trips: got %v, want ErrLimit", err)
	}
	if err := compile(add, int(limits.StorageBindingSize/4)+1, 10); !errors.Is(err, compute.ErrLimit) {
		t.Errorf("a tensor over the binding limit: got %v, want ErrLimit", err)
	}
	if limits.InvocationsPerWorkgroup < 1024 {
		if err := compile(wide, 10, 10); !errors.Is(err, compute.ErrLimit) {
			t.Errorf("a workgroup of 1,024: got %v, want ErrLimit", err)
		}
	} else if err := compile(wide, 10, 10); err != nil {
		t.Error(err)
	}
	if _, err := compute.Open(ctx, compute.Want{Name: "no such adapter"}); !errors.Is(err, compute.ErrNoAdapter) || !strings.Contains(err.Error(), `"no such adapter"`) {
		t.Errorf("an adapter that does not exist: got %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := compute.Open(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestPanics(t *testing.T) {
	dev := compute.Reference()
	defer dev.Close()
	tape, other := compute.NewTape(dev), compute.NewTape(dev)
	x, y := tape.Input("x", compute.F32, 4), tape.Zeros(4)
	for want, f := range map[string]func(){
		"params are int, want":             func() { add.Run(3, x, y) },
		"1 tensors, want 2":                func() { add.Run(addParams{}, x) },
		"is on another tape":               func() { add.Run(addParams{}, x, other.Zeros(4)) },
		"is nil":                           func() { add.Run(addParams{}, x, nil) },
		"want array<f32>":                  func() { add.Run(addParams{}, tape.NewU32(4), y) },
		"is written and bound twice":       func() { add.Run(addParams{}, y, y) },
		"which only the host writes":       func() { add.Run(addParams{}, y, x) },
		"6 elements, want 4":               func() { tape.Reshape(x, 2, 3) },
		"has no gradient":                  func() { tape.Grad(tape.NewU32(1)) },
		"has 2 elements, want 3 for shape": func() { tape.Param(&compute.Param{Name: "p", Shape: []int{3}, Data: make([]float32, 2)}) },
		"the tape has no Clock":            func() { tape.Random() },
		"2 values, want 6 for":             func() { tape.Constant("c", []float32{1, 2}, 2, 3) },
		"shape [2 -1] has a negative":      func() { tape.New(2, -1) },
		"shader add has no entry point":    func() { (*ir.Kernel)(compute.NewKernelFS(files, "add.none", addDefine, compute.Exact)).Read() },
		"want a struct of the fields": func() {
			(*ir.Kernel)(compute.NewKernelFS(files, "add.forward", func(int, [][]float64) {}, compute.Exact)).Read()
		},
		"definition and error model": func() { compute.NewKernelFS(files, "add.forward", addDefine, nil) },
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

func TestModels(t *testing.T) {
	for x, want := range map[float64]float64{1: 0x1p-23, 1.9: 0x1p-23, 2: 0x1p-22, -0.75: 0x1p-24, 0: 0x1p-149, 1e-40: 0x1p-149} {
		if got := compute.Ulp(x); got != want {
			t.Errorf("Ulp(%v) is %v, want %v", x, got, want)
		}
	}
	if g := compute.Gamma(10); math.Abs(g-10*0x1p-24) > 1e-12 {
		t.Errorf("Gamma(10) is %v", g)
	}
}

// TestRandomBits checks that numbers repeat, fill the range and hardly collide.
func TestRandomBits(t *testing.T) {
	if got, want := compute.RandomBits(0, 0, 0, 0), compute.RandomBits(0, 0, 0, 0); got != want {
		t.Errorf("two calls differ: %v, %v", got, want)
	}
	mean := 0.0
	seen := map[uint32]bool{}
	for i := range uint32(4096) {
		b := compute.RandomBits(1, 2, 3, i)
		mean += float64(compute.Uniform(b[0])) / 4096
		seen[b[0]] = true
	}
	if math.Abs(mean-0.5) > 0.02 || len(seen) < 4090 {
		t.Errorf("4,096 numbers have mean %v and %d values", mean, len(seen))
	}
}
