package conform_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
)

// text is a shader with one right entry point and several wrong ones.
const text = `// scale: y = factor * x + y.
// x, y are (rows, size).
struct Params { rows: u32, size: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const block: u32 = 64u;
// invocations: rows*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    y[i] += params.factor * x[i];
}
// invocations: rows*size
@compute @workgroup_size(block)
fn dropped(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    y[i] = params.factor * x[i];
}
// invocations: rows*size
@compute @workgroup_size(block)
fn short(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i + 1u >= params.rows * params.size { return; }
    y[i] += params.factor * x[i];
}
// invocations: rows*size
@compute @workgroup_size(block)
fn rough(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    y[i] += params.factor * x[i] * 1.000001;
}
// invocations: rows*size
@compute @workgroup_size(block)
fn over(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i > params.rows * params.size { return; }
    y[i] += params.factor * x[i];
}
// invocations: rows*size
@compute @workgroup_size(block)
fn broken(@builtin(global_invocation_id) id: vec3<u32>) {
    y[id.x] = nonsense;
}
`

type params struct {
	Rows, Size uint32
	Factor     float32
}

var files = fstest.MapFS{"scale.wgsl": {Data: []byte(text)}}

func define(p params, b [][]float64) {
	for i, x := range b[0] {
		b[1][i] += float64(p.Factor) * x
	}
}

func kernel(name string) *compute.Kernel {
	return compute.NewKernelFS(files, "scale."+name, define, compute.Dot(1))
}

var right, wrong, broken = kernel("forward"), map[string]*compute.Kernel{
	"dropped": kernel("dropped"), "short": kernel("short"), "rough": kernel("rough"), "over": kernel("over"),
}, kernel("broken")

var ctx = context.Background()

func run(t *testing.T, o conform.Options, ops ...conform.Op) *conform.Report {
	t.Helper()
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	r, err := conform.Run(ctx, dev, ops, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRight(t *testing.T) {
	r := run(t, conform.Options{Passes: true}, conform.KernelOp(right))
	cases := 5*len(conform.Patterns()) + len(ir.Passes()) - 1
	if !r.OK() || len(r.Cases) != cases || len(r.Kernels) != 1 || r.Kernels[0].Elements == 0 {
		t.Errorf("%s, want %d cases and none illegal", r.Summary(), cases)
	}
	k := r.Kernels[0]
	sum := int64(0)
	for _, n := range k.Shares {
		sum += n
	}
	if sum != k.Elements || k.Correct+k.Within+k.Illegal != k.Elements {
		t.Errorf("%+v: the counts do not add up", k)
	}
	conform.Test(t, devicetest.Open(t), right)
}

func TestWrong(t *testing.T) {
	for name, k := range wrong {
		r := run(t, conform.Options{}, conform.KernelOp(k))
		if r.OK() || r.Kernels[0].Name != "scale."+name {
			t.Errorf("%s: %s", name, r.Summary())
		}
		worst := r.Bad()[0]
		if len(worst.Checks) == 0 || worst.Checks[0].Illegal == 0 {
			t.Errorf("%s: %+v", name, worst)
		}
	}
	r := run(t, conform.Options{}, conform.KernelOp(broken))
	if r.Count(conform.Failed) != len(r.Cases) || !strings.Contains(r.Cases[0].Error, "nonsense") {
		t.Errorf("a shader that does not compile: %s, %q", r.Summary(), r.Cases[0].Error)
	}
}

// TestFind makes each case again from its name, with the same outcome.
func TestFind(t *testing.T) {
	ops := []conform.Op{conform.KernelOp(wrong["rough"])}
	for _, c := range append(conform.Cases(ops, 3), conform.CasesF16(ops, 3)...) {
		again, err := conform.Find(ops, c.Name())
		if err != nil || again != c {
			t.Errorf("%s: got %+v, %v", c.Name(), again, err)
		}
	}
	one, err := conform.Find(ops, "scale.rough/rows=2,size=31,factor=0.25/uniform/seed=11")
	if err != nil {
		t.Fatal(err)
	}
	var worst [2]*conform.Element
	for i := range worst {
		r := run(t, conform.Options{Cases: []conform.Case{one}}, ops...)
		worst[i] = r.Cases[0].Checks[0].Worst
	}
	if !reflect.DeepEqual(worst[0], worst[1]) {
		t.Errorf("the same case gives %v and %v", worst[0], worst[1])
	}
	for name, want := range map[string]string{
		"scale.rough": "want op/sizes/pattern/seed=N", "scale.other/rows=1/uniform/seed=1": `no op "scale.other"`,
		"scale.rough/rows=1,size=1,factor=1/odd/seed=1":       `no pattern "odd"`,
		"scale.rough/rows=1,size=1/uniform/seed=1":            `no size "factor"`,
		"scale.rough/rows=x,size=1,factor=1/uniform/seed=1":   `size "rows=x"`,
		"scale.rough/rows=1,size=1,factor=1/uniform/seed=one": "seed",
	} {
		if _, err := conform.Find(ops, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestStops(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if r, err := conform.Run(ended, devicetest.Open(t), []conform.Op{conform.KernelOp(right)}, conform.Options{}); !errors.Is(err, context.Canceled) || r == nil {
		t.Errorf("cancelled: got %v, %v", r, err)
	}
	if _, err := conform.Run(ctx, devicetest.Open(t), nil, conform.Options{Match: "["}); err == nil {
		t.Error("a pattern that is none is taken")
	}
	r := run(t, conform.Options{}, conform.Op{Name: "panics", Shapes: []string{"n=1"}, Patterns: []string{"uniform"}, Record: func(r *conform.Recorder) { r.N("m") }})
	if r.Count(conform.Failed) != 1 || !strings.Contains(r.Cases[0].Error, `have no "m"`) {
		t.Errorf("an op that panics: %s, %+v", r.Summary(), r.Cases)
	}
}

// planted is a layer of one kernel.
type planted struct{ k *compute.Kernel }

func (l planted) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	y := t.Zeros(x.Shape()...)
	l.k.Run(params{uint32(x.Dim(0)), uint32(x.Dim(1)), 0.75}, x, y)
	return y
}

// stack is a model of layers.
type stack []planted

func (s stack) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	for i, l := range s {
		t.Within([]string{"first", "second", "third"}[i], func() { x = l.Forward(t, x) })
	}
	return x
}

// TestVerify names the layer that is wrong, and none where all are right.
func TestVerify(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	input := make([]float32, 6*50)
	for i := range input {
		input[i] = float32(i)/7 - 20
	}
	for want, model := range map[string]stack{
		"": {{right}, {right}}, "second": {{right}, {wrong["rough"]}, {wrong["short"]}}, "third": {{right}, {right}, {wrong["short"]}},
	} {
		fault, err := conform.Verify(t.Context(), dev, model, input, 6, 50)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && fault != nil || want != "" && (fault == nil || fault.Part != want || !strings.Contains(fault.String(), want+": kernel scale.")) {
			t.Errorf("got %v, want the fault in %q", fault, want)
		}
	}
}

// TestSpecial plants NaN: what depends on it may be anything, what does not must be
// right.
func TestSpecial(t *testing.T) {
	for name, op := range map[string]conform.Op{"right": conform.KernelOp(right), "short": conform.KernelOp(wrong["short"])} {
		op.Patterns = []string{"special"}
		if r := run(t, conform.Options{}, op); r.OK() != (name == "right") || len(r.Cases) != len(op.Shapes) {
			t.Errorf("%s: %s", name, r.Summary())
		}
	}
}

// TestRepro makes a case that is wrong as small as it goes, and writes it down.
func TestRepro(t *testing.T) {
	dev := devicetest.Open(t)
	devicetest.NoLeaks(t, dev)
	for name, want := range map[string]string{"rough": "rows=1,size=1", "short": "rows=1,size=1", "dropped": "rows=1,size=1"} {
		ops := []conform.Op{conform.KernelOp(wrong[name], "rows=7,size=33,factor=0.5")}
		c, r, err := conform.Minimise(ctx, dev, conform.Cases(ops, 7)[0])
		if err != nil || r.Verdict != conform.Illegal || !strings.HasPrefix(c.Shape, "rows=") {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if name != "rough" && !strings.HasPrefix(c.Shape, want) { // a single element may be rounded well
			t.Errorf("%s: the smallest is %s, want %s", name, c.Shape, want)
		}
		dir := filepath.Join(t.TempDir(), "repro")
		if err := conform.WriteRepro(ctx, dev, c, dir); err != nil {
			t.Fatal(err)
		}
		read := func(file string) string {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		var b conform.Bundle
		if err := json.Unmarshal([]byte(read("dispatch.json")), &b); err != nil {
			t.Fatal(err)
		}
		if b.Case != c.Name() || b.Entry != name || len(b.Tensors) != 2 || len(b.Tensors[1].Low) != len(b.Tensors[0].Before) || b.Groups[0] == 0 {
			t.Errorf("%s: %+v", name, b)
		}
		if !strings.Contains(read("shader.wgsl"), "const params = Params(") || !strings.Contains(read("index.html"), c.Name()) || !strings.Contains(read("main.go"), c.Name()) {
			t.Errorf("%s: the files do not hold the case", name)
		}
		if out, err := exec.Command("go", "vet", filepath.Join(dir, "main.go")).CombinedOutput(); err != nil {
			t.Errorf("main.go: %v\n%s", err, out)
		}
	}
	sound := conform.Cases([]conform.Op{conform.KernelOp(right)}, 7)[0]
	if c, r, err := conform.Minimise(ctx, dev, sound); err != nil || c != sound || r.Verdict == conform.Illegal {
		t.Errorf("a sound case: %v, %+v, %v", c.Name(), r, err)
	}
	if err := conform.WriteRepro(ctx, dev, sound, t.TempDir()); err == nil || !strings.Contains(err.Error(), "no dispatch of it is illegal") {
		t.Errorf("a repro of a sound case: got %v", err)
	}
}
