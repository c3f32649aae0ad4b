package compute_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/judge"
	"github.com/pumice-ml/pumice/internal/rule"
	"github.com/pumice-ml/pumice/internal/tapeoption"
)

// double is y = 2x, in a shader of its own for each name.
func double(name, expression string) *compute.Kernel {
	text := `// ` + name + `: y = 2 x, element by element.
// x, y are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const block: u32 = 64u;
// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { y[id.x] = ` + expression + `; }
}
`
	return compute.NewKernelFS(fstest.MapFS{name + ".wgsl": {Data: []byte(text)}}, name+".forward", func(_ doubleParams, b [][]float64) {
		for i, x := range b[0] {
			b[1][i] = 2 * x
		}
	}, compute.Exact)
}

type doubleParams struct{ N uint32 }

// as is a rule that runs another kernel in the place of one.
func as(of, k *compute.Kernel) ir.Rule {
	return rule.New(k.Name(), []*compute.Kernel{of}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
		k.Run(runs[0].Params, runs[0].Tensors...)
		return true
	})
}

var (
	doubled       = double("double", "2.0 * x[id.x]")
	doubledByAdd  = double("double_by_add", "x[id.x] + x[id.x]")
	doubledNearly = double("double_nearly", "2.0001 * x[id.x]")
	doubledHalf   = double("double_half", "select(x[id.x] + x[id.x], 0.0, id.x == 66u)")
	doubledNot    = double("double_not", "x[id.x] + nothing")
	alone         = double("double_alone", "select(x[id.x] + x[id.x], 0.0, id.x == 66u)")
	nested        = double("double_nested", "2.0 * x[id.x]")
	nestedWrong   = double("double_nested_wrong", "2.0 * x[id.x]")
)

func never(compute.Info) bool { return false }

func doubleRules() []ir.Rule {
	return []ir.Rule{
		as(doubled, doubledNearly),
		as(doubled, doubledNot),
		{Name: "never", Of: []*ir.Kernel{(*ir.Kernel)(doubled)}, Suits: rule.Suits(never), Record: as(doubled, doubledHalf).Record},
		rule.New("cannot", []*compute.Kernel{doubled}, func(*compute.Tape, []rule.Run, bool) bool { return false }),
		as(doubled, doubledByAdd),
		as(nested, doubled),
		as(nestedWrong, alone),
	}
}

// cache makes the user's cache folder an empty one, and gives a device of its own.
func cache(t *testing.T) (*compute.Device, string) {
	t.Helper()
	if runtime.GOOS == "js" {
		t.Skip("a browser has no files")
	}
	dir := t.TempDir()
	t.Setenv("PUMICE_CACHE", dir)
	return devicetest.Fresh(t), dir
}

// steps compiles one run of k and names the kernels of the program.
func steps(t *testing.T, dev *compute.Device, k *compute.Kernel, without ...string) ([]string, error) {
	t.Helper()
	return stepsBy(t, dev, k, doubleRules(), without...)
}

func stepsBy(t *testing.T, dev *compute.Device, k *compute.Kernel, rules []ir.Rule, without ...string) ([]string, error) {
	t.Helper()
	tape := compute.NewTape(dev)
	rule.Use(tape, rules...)
	const n = 67 // half is wrong at the last
	x, y := tape.Input("x", compute.F32, n), tape.New(n)
	k.Run(doubleParams{n}, x, y)
	tape.Keep(y)
	p, err := tape.Compile(without...)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	got, numbers, want := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range numbers {
		numbers[i], want[i] = float32(i+1), float32(2*i+2)
	}
	if err := errors.Join(p.Write(x, numbers), p.Run(ctx), p.Read(ctx, y, got)); err != nil {
		t.Fatal(err)
	}
	all, err := devicetest.Steps(p)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Kernel)
	}
	if !slices.Equal(got, want) && names[0] != doubledNearly.Name() {
		t.Errorf("%v gives %v, want %v", names, got, want)
	}
	return names, nil
}

// TestVariantRefused wants a wrong variant, and one that does not compile, refused
// with the reason, and the next right one taken.
func TestVariantRefused(t *testing.T) {
	dev, _ := cache(t)
	for range 2 { // the second finds it known
		names, err := steps(t, dev, doubled)
		if err != nil || !slices.Equal(names, []string{"double_by_add.forward"}) {
			t.Fatalf("the program is %v, %v", names, err)
		}
	}
	refused := devicetest.Machine(dev).Refused()
	if len(refused) != 2 {
		t.Fatalf("refused: %+v", refused)
	}
	for i, want := range []struct{ variant, reason string }{{"double_nearly.forward", "at most"}, {"double_not.forward", "nothing"}} {
		if r := refused[i]; r.Kernel != want.variant || r.Variant != want.variant || !strings.Contains(r.Reason, want.reason) {
			t.Errorf("refused: %+v, want %+v", r, want)
		}
	}
	if names, err := steps(t, dev, doubled, "choose"); err != nil || names[0] != "double.forward" {
		t.Errorf("without choice: %v, %v", names, err)
	}
	if names, err := steps(t, dev, doubled, "check"); err == nil && names[0] != "double_nearly.forward" {
		t.Errorf("without check: %v, %v", names, err)
	}
}

// TestVariantProved wants the test of a variant to be run once on a device, and to
// decide; and the error of a device that cannot test to be the program's.
func TestVariantProved(t *testing.T) {
	dev, _ := cache(t)
	for want, test := range map[string]error{"double_by_add.forward": nil, "double_proved.forward": errors.New("off by one"), "": compute.ErrOutOfMemory} {
		tests := 0
		k := double("double_proved", "2.0 * x[id.x]")
		v := as(k, doubledByAdd)
		v.Name = "proof " + want
		v.Prove = rule.Prove(func(d *compute.Device) error {
			if tests++; d != dev {
				t.Errorf("tested on %v", d)
			}
			return test
		})
		for range 2 {
			names, err := stepsBy(t, dev, k, []ir.Rule{v})
			if want == "" {
				if !errors.Is(err, compute.ErrOutOfMemory) {
					t.Errorf("%v", err)
				}
			} else if err != nil || !slices.Equal(names, []string{want}) {
				t.Errorf("the program is %v, %v, want %s", names, err, want)
			}
		}
		if want != "" && tests != 1 {
			t.Errorf("%s: tested %d times", want, tests)
		}
		if names, err := stepsBy(t, dev, k, []ir.Rule{v}, "check"); err != nil || names[0] != "double_by_add.forward" {
			t.Errorf("without check: %v, %v", names, err)
		}
	}
	if r := devicetest.Machine(dev).Refused(); len(r) != 1 || r[0] != (judge.Refusal{Kernel: "double_proved.forward", Variant: "proof double_proved.forward", Reason: "off by one"}) {
		t.Errorf("refused: %+v", r)
	}
}

// TestVariantOfVariant wants the dispatches of a variant to be chosen too, even where
// the variant is asked for by name, and a variant whose dispatch cannot do without a
// wrong kernel refused.
func TestVariantOfVariant(t *testing.T) {
	dev, _ := cache(t)
	for k, want := range map[*compute.Kernel]string{nested: "double_by_add.forward", nestedWrong: "double_nested_wrong.forward"} {
		for range 2 {
			if names, err := steps(t, dev, k); err != nil || !slices.Equal(names, []string{want}) {
				t.Errorf("%s: the program is %v, %v, want %s", k.Name(), names, err, want)
			}
		}
		if names, err := steps(t, dev, k, "choose"); err != nil || !slices.Equal(names, []string{k.Name()}) {
			t.Errorf("%s: without choice: %v, %v", k.Name(), names, err)
		}
	}
	if r := devicetest.Machine(dev).Refused(); !slices.ContainsFunc(r, func(r judge.Refusal) bool {
		return r.Variant == "double_alone.forward" && r.Kernel == "double_alone.forward"
	}) || len(r) != 3 {
		t.Errorf("refused: %+v", r)
	}
	switches := &tapeoption.Switches{Variant: "double.forward"}
	tape := compute.NewTape(dev, switches)
	rule.Use(tape, doubleRules()...)
	x, y := tape.Input("x", compute.F32, 5), tape.New(5)
	nested.Run(doubleParams{5}, x, y)
	tape.Keep(y)
	if list := devicetest.Lowered(tape); list[0].Kernel != (*ir.Kernel)(doubledNearly) || switches.Variant != "double.forward" {
		t.Errorf("by name: %s, then variant %q", list[0].Kernel.Name(), switches.Variant)
	}
}

// TestWrongNumbers wants a kernel that is wrong, at one element, and has no variant to
// be a typed error.
func TestWrongNumbers(t *testing.T) {
	dev, _ := cache(t)
	for range 2 {
		_, err := steps(t, dev, alone)
		if !errors.Is(err, compute.ErrWrongNumbers) || !strings.Contains(err.Error(), "double_alone.forward") || !strings.Contains(err.Error(), "[66]: got 0, want") {
			t.Errorf("%v", err)
		}
	}
	if _, err := steps(t, compute.Reference(), alone); err != nil {
		t.Errorf("the reference device: %v", err)
	}
}

// TestChecksCached wants what has passed to be tested once per adapter, and a cache
// that is broken, or of another text, to be none.
func TestChecksCached(t *testing.T) {
	dev, dir := cache(t)
	tested := func(dev *compute.Device) int64 {
		t.Helper()
		before := (*ir.Kernel)(doubledByAdd).GPURuns()
		if _, err := steps(t, dev, doubledByAdd); err != nil {
			t.Fatal(err)
		}
		return (*ir.Kernel)(doubledByAdd).GPURuns() - before - 1 // but for the program itself
	}
	if n := tested(dev); n != 1 {
		t.Errorf("tested %d times at first", n)
	}
	if n := tested(dev); n != 0 {
		t.Errorf("tested %d times by the same device", n)
	}
	if n := tested(devicetest.Fresh(t)); n != 0 {
		t.Errorf("tested %d times by another device on the same adapter", n)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, broken := range []string{"", "{", `["0123"]`} {
		if err := os.WriteFile(files[0], []byte(broken), 0o644); err != nil {
			t.Fatal(err)
		}
		if n := tested(devicetest.Fresh(t)); n != 1 {
			t.Errorf("tested %d times after a cache of %q", n, broken)
		}
	}
	t.Setenv("PUMICE_CACHE", files[0]) // no folder
	if n := tested(devicetest.Fresh(t)); n != 1 {
		t.Errorf("tested %d times without a cache", n)
	}
}

// TestTestable wants a test of a kernel to need shapes and sizes.
func TestTestable(t *testing.T) {
	if err := (*ir.Kernel)(add).Testable(); err == nil || !strings.Contains(err.Error(), `no line "// test:" with n`) {
		t.Errorf("%v", err)
	}
	if err := (*ir.Kernel)(doubled).Testable(); err != nil {
		t.Error(err)
	}
}

func TestCheckClosed(t *testing.T) {
	dev, _ := cache(t)
	dev.Close()
	if _, err := steps(t, dev, doubled); !errors.Is(err, compute.ErrClosed) {
		t.Errorf("on a closed device: %v", err)
	}
}
