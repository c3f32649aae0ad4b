package compiler

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
	"github.com/pumice-ml/pumice/internal/shader"
	"github.com/pumice-ml/pumice/internal/tune"
)

// ownCache lets a test remember nothing of others; a browser has no files, and remembers
// nothing anyway.
func ownCache(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "js" {
		t.Setenv("PUMICE_CACHE", t.TempDir())
	}
}

// descends is w -= by dw, of which batch makes one run.
var descends = declare(of(must(shader.Parse("descends", `// descends: w = w + by dw.
// w, dw are (n)
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
// each: n
// invocations: n
@compute @workgroup_size(64)
fn step(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { w[id.x] = w[id.x] + params.by * dw[id.x]; }
}
`))), "descends.step", func(p linkParams, b [][]float64) {
	for i, g := range b[0] {
		b[1][i] += float64(p.By) * g
	}
}, ir.Dot(2))

// merges are tapes in which a pass makes one launch of several, and what a driver that
// is wrong makes of its text.
var merges = []struct {
	pass     ir.Pass
	from, to string
	record   func(tape *ir.Tape) (x, y *ir.Tensor)
}{
	{ir.Chain, "(i, v)", "(i, v * 1.25)", func(tape *ir.Tape) (x, y *ir.Tensor) {
		x, a, y := tape.Input("x", ir.F32, 70), tape.New(70), tape.New(70)
		linkScale.Run(linkParams{70, 3}, x, a)
		linkScale.Run(linkParams{70, 5}, a, y)
		return x, y
	}},
	{ir.Join, "all.x < 3u", "all.x < 2u", func(tape *ir.Tape) (x, y *ir.Tensor) {
		x, a, y := tape.Input("x", ir.F32, 70), tape.New(40), tape.New(70)
		addOne.Run(oneParams{40}, tape.Input("other", ir.F32, 40), a)
		addOne.Run(oneParams{70}, x, y)
		tape.Keep(a)
		return x, y
	}},
	{ir.Batch, "id.x < params.n", "id.x < params.n - 1u", func(tape *ir.Tape) (x, y *ir.Tensor) {
		x, y = tape.Input("x", ir.F32, 70), tape.New(70)
		a := tape.New(5)
		linkScale.Run(linkParams{70, 1}, x, y)
		linkScale.Run(linkParams{5, 1}, tape.Input("other", ir.F32, 5), a)
		da, dy := tape.New(5), tape.New(70)
		addOne.Run(oneParams{5}, tape.Input("third", ir.F32, 5), da)
		addOne.Run(oneParams{70}, x, dy)
		descends.Run(linkParams{5, 2}, da, a)
		descends.Run(linkParams{70, 2}, dy, y)
		tape.Keep(a)
		return x, y
	}},
}

// wrongly is the tape's text with a fault, where it is that of a merged launch.
func wrongly(from, to string) func(text string) string {
	return func(text string) string {
		merged := strings.Contains(text, "e0_") || strings.Contains(text, "fn join") || strings.Contains(text, "Params(198u") || strings.Contains(text, "Params(326u")
		if !merged {
			return text
		}
		return strings.ReplaceAll(text, from, to)
	}
}

// TestMergesJudged wants a launch that does the work of several, with a wrong text, to be
// found by Verify, and to be refused when a program is compiled, which then computes what
// it should; and a right one to be neither.
func TestMergesJudged(t *testing.T) {
	for _, c := range merges {
		for _, wrong := range []bool{false, true} {
			t.Run(fmt.Sprint(c.pass, " wrong ", wrong), func(t *testing.T) {
				ownCache(t)
				dev := must(open(t.Context()))
				defer dev.Close()
				var changed atomic.Int32 // several goroutines compile
				if f := wrongly(c.from, c.to); wrong {
					dev.Driver = func(text string) string {
						other := f(text)
						if other != text {
							changed.Add(1)
						}
						return other
					}
				}
				numbers := slices.Repeat([]float32{1.5, -2, 0.25, 7, 3}, 14)
				tape := newTape(dev)
				x, y := c.record(tape)
				tape.Keep(y)
				found, err := Verify(t.Context(), tape, func(p *Program) error { return p.Write(x, numbers) })
				if err != nil {
					t.Fatal(err)
				}
				if illegal := slices.ContainsFunc(found, func(d judge.Deviation) bool { return !d.Legal }); illegal != wrong || wrong && changed.Load() == 0 {
					t.Errorf("Verify: illegal %v, %d texts changed: %v", illegal, changed.Load(), found)
				}
				run := func(dev *tune.Device, without ...ir.Pass) ([]float32, *Program) {
					tape := newTape(dev)
					x, y := c.record(tape)
					tape.Keep(y)
					p := must(Compile(tape, without...))
					got := make([]float32, y.Len())
					if err := errors.Join(p.Write(x, numbers), p.Run(t.Context()), p.Read(t.Context(), y, got)); err != nil {
						t.Fatal(err)
					}
					return got, p
				}
				got, p := run(dev)
				defer p.Close()
				want, q := run(Reference().dev)
				defer q.Close()
				if !slices.Equal(got, want) {
					t.Errorf("the compiled program gives %v, want %v", got, want)
				}
				merged := slices.ContainsFunc(p.list, func(d ir.Dispatch) bool { return d.Merged == c.pass })
				if merged == wrong {
					t.Errorf("merged %v, want %v", merged, !wrong)
				}
				if refused := slices.ContainsFunc(dev.Refused(), func(r judge.Refusal) bool { return r.Variant == string(c.pass) }); refused != wrong {
					t.Errorf("refused: %v", dev.Refused())
				}
			})
		}
	}
}

// TestSpecialisedJudged wants a text with params baked in that is wrong to make way for
// that with params in a uniform.
func TestSpecialisedJudged(t *testing.T) {
	ownCache(t)
	dev := must(open(t.Context()))
	defer dev.Close()
	dev.Driver = func(text string) string { return strings.ReplaceAll(text, "Params(70u)", "Params(69u)") }
	tape := newTape(dev)
	x, y := tape.Input("x", ir.F32, 70), tape.New(70)
	addOne.Run(oneParams{70}, x, y)
	tape.Keep(y)
	p := must(Compile(tape))
	defer p.Close()
	got := make([]float32, 70)
	if err := errors.Join(p.Write(x, got), p.Run(t.Context()), p.Read(t.Context(), y, got)); err != nil || got[69] != 1 {
		t.Errorf("the last is %v, %v, want 1", got[69], err)
	}
	if r := dev.Refused(); len(r) != 1 || r[0].Kernel != "add_one.forward" || r[0].Variant != string(ir.Specialise) || !strings.Contains(r[0].Reason, "[69]") {
		t.Errorf("refused: %v", r)
	}
}

// TestKeys wants the key of a text to change with the text, its entry point, the
// definition and the bound, and with nothing else.
func TestKeys(t *testing.T) {
	dev := must(open(t.Context()))
	defer dev.Close()
	define := func(by float64) func(p linkParams, b [][]float64) {
		return func(p linkParams, b [][]float64) {
			for i, x := range b[0] {
				b[1][i] = float64(p.By) * x * by
			}
		}
	}
	key := func(k *ir.Kernel, text string) string {
		x := ir.View(&ir.Slot{N: 5}, 5)
		y := ir.View(&ir.Slot{N: 5}, 5)
		return dev.Key(&ir.Dispatch{Kernel: k, Params: linkParams{5, 2}, Tensors: []*ir.Tensor{x, y}}, text)
	}
	kernel := func(by float64, m ir.Model) *ir.Kernel {
		return declare(of(linkShader), "link.scale", define(by), m)
	}
	first := key(kernel(1, ir.Exact), "text")
	if again := key(kernel(1, ir.Exact), "text"); again != first {
		t.Errorf("the same gives %s and %s", first, again)
	}
	for name, other := range map[string]string{"text": key(kernel(1, ir.Exact), "texts"), "definition": key(kernel(2, ir.Exact), "text"), "bound": key(kernel(1, ir.ULP(3)), "text")} {
		if other == first {
			t.Errorf("another %s gives the same key", name)
		}
	}
}

// addEven is y += x of the elements of even index.
var addEven = declare(of(must(shader.Parse("add_even", `// add_even: y += x, of even elements.
// x, y are (n)
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const accumulate: bool = true;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.n || id.x % 2u == 1u { return; }
    var v = x[id.x];
    if accumulate { v += y[id.x]; }
    y[id.x] = v;
}
`))), "add_even.forward", func(p oneParams, b [][]float64) {
	for i := 0; i < len(b[0]); i += 2 {
		b[1][i] += b[0][i]
	}
}, ir.Exact)

// TestJudgedAssigns writes zeros for a kernel that leaves elements out, and does not let
// it assign.
func TestJudgedAssigns(t *testing.T) {
	ownCache(t)
	dev := must(open(t.Context()))
	defer dev.Close()
	tape := newTape(dev)
	x, y := tape.Input("x", ir.F32, 70), tape.Zeros(70)
	addEven.Run(oneParams{70}, x, y)
	tape.Keep(y)
	p := must(Compile(tape))
	defer p.Close()
	got := make([]float32, 70)
	if err := errors.Join(p.Write(x, slices.Repeat([]float32{3}, 70)), p.Write(y, slices.Repeat([]float32{5}, 70)), p.Run(t.Context()), p.Read(t.Context(), y, got)); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if want := float32(3 * (1 - i%2)); v != want {
			t.Fatalf("element %d is %v, want %v", i, v, want)
		}
	}
	if r := dev.Refused(); len(r) != 1 || r[0].Variant != string(ir.Accumulate) {
		t.Errorf("refused %v, want the pass %s", r, ir.Accumulate)
	}
}

// TestJudgedLarge judges a run of more bytes than are judged at once.
func TestJudgedLarge(t *testing.T) {
	ownCache(t)
	dev := must(open(t.Context()))
	defer dev.Close()
	const n = judge.MostAtOnce/8 + 5
	tape := newTape(dev)
	y := tape.New(n)
	ir.Cast.Run(ir.CastParams{N: n}, tape.Input("x", ir.F32, n), y)
	tape.Keep(y)
	p := must(Compile(tape))
	defer p.Close()
	for _, s := range must(p.Steps()) {
		if s.Judged != judge.ByDefinition+judge.AtSmaller {
			t.Errorf("%s: %s, want %s", s.Kernel, s.Judged, judge.ByDefinition+judge.AtSmaller)
		}
	}
}

// TestJudgedLargeMerge makes no chain that is too large to be judged.
func TestJudgedLargeMerge(t *testing.T) {
	if testing.Short() {
		t.Skip("its tensors take 268 MB, and their numbers some times that")
	}
	ownCache(t)
	dev := must(open(t.Context()))
	defer dev.Close()
	const n = 4*judge.MostAtOnce/12 + 5
	tape := newTape(dev)
	x, a, y := tape.Input("x", ir.F32, n), tape.New(n), tape.New(n)
	linkScale.Run(linkParams{n, 3}, x, a)
	linkScale.Run(linkParams{n, 5}, a, y)
	tape.Keep(a, y)
	p := must(Compile(tape))
	defer p.Close()
	list := must(p.Steps())
	if len(list) != 2 {
		t.Errorf("%d launches, want the two of the tape", len(list))
	}
	for _, s := range list {
		if s.Judged != judge.ByDefinition+judge.AtSmaller && s.Judged != judge.Remembered {
			t.Errorf("%s: %s, want it judged", s.Kernel, s.Judged)
		}
	}
}
