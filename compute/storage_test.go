package compute_test

import (
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

// withF16 is a device that stores f16, or nil for one that does not and says so.
func withF16(t *testing.T) *compute.Device {
	t.Helper()
	dev := devicetest.Fresh(t)
	err := dev.Stores(compute.F16)
	if err == nil {
		return dev
	}
	tape := compute.NewTape(dev)
	tape.Storage = compute.F16
	y := tape.New(3)
	doubled.Run(doubleParams{3}, tape.Input("x", compute.F32, 3), y)
	_, compiled := tape.Compile()
	for _, err := range []error{err, compiled} {
		if !errors.Is(err, compute.ErrFeature) || !strings.Contains(err.Error(), "shader-f16") {
			t.Errorf("got %v, want ErrFeature and the name of the feature", err)
		}
	}
	return nil
}

// TestNoF16 wants devices that cannot store f16, by their nature or as they were opened,
// to say so.
func TestNoF16(t *testing.T) {
	dev, err := compute.Open(ctx, compute.Want{Name: devicetest.Open(t).Info().Name, DefaultLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, dev := range []*compute.Device{dev, compute.Reference()} {
		if err := dev.Stores(compute.F16); !errors.Is(err, compute.ErrFeature) {
			t.Errorf("%v: got %v, want ErrFeature", dev, err)
		}
		if err := dev.Stores(compute.F32); err != nil {
			t.Errorf("%v: %v", dev, err)
		}
	}
}

// TestF16 stores tensors of odd lengths, whose numbers are rounded to the nearest f16,
// in half of the bytes.
func TestF16(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	tape := compute.NewTape(dev)
	tape.Storage = compute.F16
	x, y, z := tape.Input("x", compute.F16, 5), tape.New(5), tape.NewF32(5)
	doubled.Run(doubleParams{5}, x, y)
	doubled.Run(doubleParams{5}, y, z)
	tape.Keep(y, z)
	p, err := tape.Compile()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	before := devicetest.Machine(dev).Traffic()
	got, wide, back := make([]float32, 5), make([]float32, 5), make([]float32, 5)
	// 1 + 2^-11 lies between two f16, and goes to the even one; 65520 is beyond the
	// largest; 2^-24 is the smallest.
	in := []float32{1 + 0x1p-11, 1 + 0x3p-11, 65520, -0x1p-24, 0.1}
	for _, err := range []error{p.Write(x, in), p.Run(ctx), p.Read(ctx, y, got), p.Read(ctx, z, wide), p.Read(ctx, x, back)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	inf := float32(math.Inf(1))
	if want := []float32{1, 1 + 0x1p-9, inf, -0x1p-24, 0.0999755859375}; !slices.Equal(back, want) {
		t.Errorf("got %v back, want %v", back, want)
	}
	if want := []float32{2, 2 + 0x1p-8, inf, -0x1p-23, 0.199951171875}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if wide[1] != 4+0x1p-7 || wide[4] != 0.39990234375 {
		t.Errorf("got %v as f32, want twice %v", wide, got)
	}
	if used := devicetest.Machine(dev).Traffic(); used.Up-before.Up != 10 || used.Down-before.Down != 10+20+10 {
		t.Errorf("%d bytes up and %d down, want 10 and 40", used.Up-before.Up, used.Down-before.Down)
	}
	if use := dev.Ledger(); len(use) != 1 || use[0].Bytes != 10+10+20 {
		t.Errorf("got %+v, want 40 bytes", use)
	}
}

// TestF16Param reads a parameter as f16: uploaded so where the device does not hold it,
// else a copy that follows it.
func TestF16Param(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	devicetest.NoLeaks(t, dev)
	a, b := compute.NewParam("a", 3), compute.NewParam("b", 70)
	a.Data[2], b.Data[69] = 1+0x1p-11, 4
	double := func() (*compute.Program, [2]*compute.Tensor) {
		tape := compute.NewTape(dev)
		tape.Storage = compute.F16
		var y [2]*compute.Tensor
		for i, p := range []*compute.Param{a, b} {
			y[i] = tape.NewF32(p.Len())
			doubled.Run(doubleParams{uint32(p.Len())}, tape.Param(p), y[i])
			tape.Keep(y[i])
			if x := tape.Param(p); x.Param() != p && x.Param() != nil || x.DType() != compute.F16 || tape.Grad(x).DType() != compute.F32 {
				t.Errorf("%v is %v, its gradient %v", p.Name, x, tape.Grad(x))
			}
		}
		p, err := tape.Compile("join")
		if err != nil {
			t.Fatal(err)
		}
		return p, y
	}
	want := func(p *compute.Program, y [2]*compute.Tensor, last [2]float32) {
		t.Helper()
		for i, n := range []int{3, 70} {
			got := make([]float32, n)
			if err := errors.Join(p.Run(ctx), p.Read(ctx, y[i], got)); err != nil || got[n-1] != last[i] {
				t.Errorf("got %v, %v, want %v", got[n-1], err, last[i])
			}
		}
	}
	owned := func(bytes int64) {
		t.Helper()
		for _, use := range dev.Ledger() {
			if use.Owner == "parameters" && use.Bytes != bytes {
				t.Errorf("parameters hold %d bytes, want %d", use.Bytes, bytes)
			}
		}
	}
	p, y := double()
	want(p, y, [2]float32{2, 8})
	owned(2 * 73)
	a.Data[2] = 7
	if err := dev.Upload(a); err != nil {
		t.Fatal(err)
	}
	want(p, y, [2]float32{14, 8})
	// A program that changes a and b, which makes the device hold them.
	rate := float32(1)
	trained, r, _ := descent(t, dev, []*compute.Param{a, b})
	if err := errors.Join(trained.Write(r, []float32{rate}), trained.Run(ctx)); err != nil {
		t.Fatal(err)
	}
	q, z := double()
	if steps, err := devicetest.Steps(q); err != nil || len(steps) != 3 || steps[0].Kernel != "cast.forward" {
		t.Errorf("%v, %v, want one cast and two products", steps, err)
	}
	want(q, z, [2]float32{12, 4})
	want(p, y, [2]float32{14, 8})
	if err := errors.Join(trained.Run(ctx), trained.Close()); err != nil {
		t.Fatal(err)
	}
	want(q, z, [2]float32{10, 0})
	dev.Forget(a, b)
	if err := errors.Join(p.Close(), q.Close()); err != nil {
		t.Error(err)
	}
}

// rough is y = 1.002 x, which is said to be x: two units of f16 off.
var rough = compute.NewKernelFS(fstest.MapFS{"rough.wgsl": {Data: []byte(`// rough: y = 1.002 x.
// x, y are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = 1.002 * x[id.x]; }
}
`)}}, "rough.forward", func(_ doubleParams, b [][]float64) { copy(b[1], b[0]) }, compute.Exact)

// TestF16Judged wants an error of two units of f16 to be illegal, and a copy in f16
// refused for whoever writes it.
func TestF16Judged(t *testing.T) {
	dev := withF16(t)
	if dev == nil {
		return
	}
	if wrong, err := devicetest.Machine(dev).CheckF16((*ir.Kernel)(rough)); err != nil || !strings.Contains(wrong[(*ir.Kernel)(rough)], "off by") {
		t.Errorf("got %v, %v, want a refusal", wrong, err)
	}
	p := compute.NewParam("p", 3)
	tape := compute.NewTape(dev)
	tape.Training, tape.Storage = true, compute.F16
	defer func() {
		if got := recover(); got == nil || !strings.Contains(got.(string), "Tape.Master") {
			t.Errorf("got %v, want a panic that says what to write", got)
		}
	}()
	doubled.Run(doubleParams{3}, tape.Input("x", compute.F32, 3), tape.Param(p))
}
