package compute

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pumice-ml/pumice/internal/shader"
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
var descends = newKernel(of(must(shader.Parse("descends", `// descends: w = w + by dw.
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
}, Dot(2))

// merges are tapes in which a pass makes one launch of several, and what a driver that
// is wrong makes of its text.
var merges = []struct {
	pass     Pass
	from, to string
	record   func(tape *Tape) (x, y *Tensor)
}{
	{Chain, "(i, v)", "(i, v * 1.25)", func(tape *Tape) (x, y *Tensor) {
		x, a, y := tape.Input("x", F32, 70), tape.New(70), tape.New(70)
		linkScale.Run(linkParams{70, 3}, x, a)
		linkScale.Run(linkParams{70, 5}, a, y)
		return x, y
	}},
	{Join, "all.x < 3u", "all.x < 2u", func(tape *Tape) (x, y *Tensor) {
		x, a, y := tape.Input("x", F32, 70), tape.New(40), tape.New(70)
		addOne.Run(oneParams{40}, tape.Input("other", F32, 40), a)
		addOne.Run(oneParams{70}, x, y)
		tape.Keep(a)
		return x, y
	}},
	{Batch, "id.x < params.n", "id.x < params.n - 1u", func(tape *Tape) (x, y *Tensor) {
		x, y = tape.Input("x", F32, 70), tape.New(70)
		a := tape.New(5)
		linkScale.Run(linkParams{70, 1}, x, y)
		linkScale.Run(linkParams{5, 1}, tape.Input("other", F32, 5), a)
		da, dy := tape.New(5), tape.New(70)
		addOne.Run(oneParams{5}, tape.Input("third", F32, 5), da)
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
				dev := must(Open(t.Context()))
				defer dev.Close()
				var changed atomic.Int32 // several goroutines compile
				if f := wrongly(c.from, c.to); wrong {
					dev.driver = func(text string) string {
						other := f(text)
						if other != text {
							changed.Add(1)
						}
						return other
					}
				}
				numbers := slices.Repeat([]float32{1.5, -2, 0.25, 7, 3}, 14)
				tape := NewTape(dev)
				x, y := c.record(tape)
				tape.Keep(y)
				found, err := tape.Verify(t.Context(), func(p *Program) error { return p.Write(x, numbers) })
				if err != nil {
					t.Fatal(err)
				}
				if illegal := slices.ContainsFunc(found, func(d Deviation) bool { return !d.Legal }); illegal != wrong || wrong && changed.Load() == 0 {
					t.Errorf("Verify: illegal %v, %d texts changed: %v", illegal, changed.Load(), found)
				}
				run := func(dev *Device, without ...Pass) ([]float32, *Program) {
					tape := NewTape(dev)
					x, y := c.record(tape)
					tape.Keep(y)
					p := must(tape.Compile(without...))
					got := make([]float32, y.Len())
					if err := errors.Join(p.Write(x, numbers), p.Run(t.Context()), p.Read(t.Context(), y, got)); err != nil {
						t.Fatal(err)
					}
					return got, p
				}
				got, p := run(dev)
				defer p.Close()
				want, q := run(Reference())
				defer q.Close()
				if !slices.Equal(got, want) {
					t.Errorf("the compiled program gives %v, want %v", got, want)
				}
				merged := slices.ContainsFunc(p.list, func(d Dispatch) bool { return d.merged == c.pass })
				if merged == wrong {
					t.Errorf("merged %v, want %v", merged, !wrong)
				}
				if refused := slices.ContainsFunc(dev.Refused(), func(r Refusal) bool { return r.Variant == string(c.pass) }); refused != wrong {
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
	dev := must(Open(t.Context()))
	defer dev.Close()
	dev.driver = func(text string) string { return strings.ReplaceAll(text, "Params(70u)", "Params(69u)") }
	tape := NewTape(dev)
	x, y := tape.Input("x", F32, 70), tape.New(70)
	addOne.Run(oneParams{70}, x, y)
	tape.Keep(y)
	p := must(tape.Compile())
	defer p.Close()
	got := make([]float32, 70)
	if err := errors.Join(p.Write(x, got), p.Run(t.Context()), p.Read(t.Context(), y, got)); err != nil || got[69] != 1 {
		t.Errorf("the last is %v, %v, want 1", got[69], err)
	}
	if r := dev.Refused(); len(r) != 1 || r[0].Kernel != "add_one.forward" || r[0].Variant != string(Specialise) || !strings.Contains(r[0].Reason, "[69]") {
		t.Errorf("refused: %v", r)
	}
}

// TestKeys wants the key of a text to change with the text, its entry point, the
// definition and the bound, and with nothing else.
func TestKeys(t *testing.T) {
	dev := must(Open(t.Context()))
	defer dev.Close()
	define := func(by float64) func(p linkParams, b [][]float64) {
		return func(p linkParams, b [][]float64) {
			for i, x := range b[0] {
				b[1][i] = float64(p.By) * x * by
			}
		}
	}
	key := func(k *Kernel, text string) string {
		x := &Tensor{shape: []int{5}, base: &slot{n: 5}}
		y := &Tensor{shape: []int{5}, base: &slot{n: 5}}
		return dev.key(&Dispatch{Kernel: k, Params: linkParams{5, 2}, Tensors: []*Tensor{x, y}}, text)
	}
	kernel := func(by float64, m Model) *Kernel { return newKernel(of(linkShader), "link.scale", define(by), m) }
	first := key(kernel(1, Exact), "text")
	if again := key(kernel(1, Exact), "text"); again != first {
		t.Errorf("the same gives %s and %s", first, again)
	}
	for name, other := range map[string]string{"text": key(kernel(1, Exact), "texts"), "definition": key(kernel(2, Exact), "text"), "bound": key(kernel(1, ULP(3)), "text")} {
		if other == first {
			t.Errorf("another %s gives the same key", name)
		}
	}
}

// TestRemembered wants the file of what passed to be bounded, the oldest forgotten, and a
// folder that cannot be written to do no harm.
func TestRemembered(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("a browser has no files")
	}
	file := filepath.Join(t.TempDir(), "judged.json")
	var keys []string
	for i := range mostRemembered / 24 {
		keys = append(keys, fmt.Sprintf("%024x", i))
	}
	writePassed(file, keys)
	writePassed(file, []string{"0123456789abcdef01234567"})
	info := must(os.Stat(file))
	p := readPassed(file)
	if info.Size() > mostRemembered || p.has(keys[0]) || !p.has(keys[len(keys)-1]) || !p.has("0123456789abcdef01234567") {
		t.Errorf("%d bytes, the first %v, the last %v", info.Size(), p.has(keys[0]), p.has("0123456789abcdef01234567"))
	}
	writePassed(filepath.Join(file, "none.json"), keys[:1])
}

// addEven is y += x of the elements of even index.
var addEven = newKernel(of(must(shader.Parse("add_even", `// add_even: y += x, of even elements.
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
}, Exact)

// TestJudgedAssigns writes zeros for a kernel that leaves elements out, and does not let
// it assign.
func TestJudgedAssigns(t *testing.T) {
	ownCache(t)
	dev := must(Open(t.Context()))
	defer dev.Close()
	tape := NewTape(dev)
	x, y := tape.Input("x", F32, 70), tape.Zeros(70)
	addEven.Run(oneParams{70}, x, y)
	tape.Keep(y)
	p := must(tape.Compile())
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
	if r := dev.Refused(); len(r) != 1 || r[0].Variant != string(Accumulate) {
		t.Errorf("refused %v, want the pass %s", r, Accumulate)
	}
}

// TestJudgedLarge judges a run of more bytes than are judged at once.
func TestJudgedLarge(t *testing.T) {
	ownCache(t)
	dev := must(Open(t.Context()))
	defer dev.Close()
	const n = mostAtOnce/8 + 5
	tape := NewTape(dev)
	y := tape.New(n)
	cast.Run(castParams{n}, tape.Input("x", F32, n), y)
	tape.Keep(y)
	p := must(tape.Compile())
	defer p.Close()
	for _, s := range must(p.Steps()) {
		if s.Judged != byDefinition+atSmaller {
			t.Errorf("%s: %s, want %s", s.Kernel, s.Judged, byDefinition+atSmaller)
		}
	}
}

// TestJudgedLargeMerge makes no chain that is too large to be judged.
func TestJudgedLargeMerge(t *testing.T) {
	if testing.Short() {
		t.Skip("its tensors take 268 MB, and their numbers some times that")
	}
	ownCache(t)
	dev := must(Open(t.Context()))
	defer dev.Close()
	const n = 4*mostAtOnce/12 + 5
	tape := NewTape(dev)
	x, a, y := tape.Input("x", F32, n), tape.New(n), tape.New(n)
	linkScale.Run(linkParams{n, 3}, x, a)
	linkScale.Run(linkParams{n, 5}, a, y)
	tape.Keep(a, y)
	p := must(tape.Compile())
	defer p.Close()
	list := must(p.Steps())
	if len(list) != 2 {
		t.Errorf("%d launches, want the two of the tape", len(list))
	}
	for _, s := range list {
		if s.Judged != byDefinition+atSmaller && s.Judged != remembered {
			t.Errorf("%s: %s, want it judged", s.Kernel, s.Judged)
		}
	}
}
