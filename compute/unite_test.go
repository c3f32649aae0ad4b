package compute_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
	"github.com/pumice-ml/pumice/internal/ir"
	"github.com/pumice-ml/pumice/internal/rule"
)

// plus is z = a + b with a factor for a, in a shader of its own for each name.
func plus(name, expression string, factor float64) *compute.Kernel {
	text := `// ` + name + `: z = factor a + b, element by element.
// a, b, z are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.n { z[id.x] = ` + expression + `; }
}
`
	return compute.NewKernelFS(fstest.MapFS{name + ".wgsl": {Data: []byte(text)}}, name+".forward", func(_ doubleParams, b [][]float64) {
		for i, a := range b[0] {
			b[2][i] = factor*a + b[1][i]
		}
	}, compute.Dot(2))
}

// Kernels of which two do what one does: unitedWrong is not right.
var (
	unitedFirst = double("united_first", "2.0 * x[id.x]")
	unitedThen  = plus("united_then", "a[id.x] + b[id.x]", 1)
	united      = plus("united", "2.0 * a[id.x] + b[id.x]", 2)
	wrongFirst  = double("wrong_first", "2.0 * x[id.x]")
	wrongThen   = plus("wrong_then", "a[id.x] + b[id.x]", 1)
	unitedWrong = plus("united_wrong", "3.0 * a[id.x] + b[id.x]", 2)
)

func unite(k, first, then *compute.Kernel) ir.Rule {
	return rule.New(k.Name(), []*compute.Kernel{first, then}, func(_ *compute.Tape, runs []rule.Run, _ bool) bool {
		ok := runs[1].Tensors[0].Same(runs[0].Tensors[1])
		if ok {
			k.Run(runs[0].Params, runs[0].Tensors[0], runs[1].Tensors[1], runs[1].Tensors[2])
		}
		return ok
	})
}

// TestUnite wants one run in the place of two where nobody sees what stands between them,
// and what the second needs, and the first does not give, before it.
func TestUnite(t *testing.T) {
	dev, _ := cache(t)
	p := doubleParams{5}
	for name, c := range map[string]struct {
		record func(tape *compute.Tape, x, y, w, z *compute.Tensor)
		want   string
	}{
		"alone": {func(_ *compute.Tape, x, y, w, z *compute.Tensor) {
			unitedFirst.Run(p, x, y)
			unitedThen.Run(p, y, w, z)
		}, "united"},
		"kept": {func(tape *compute.Tape, x, y, w, z *compute.Tensor) {
			tape.Keep(y)
			unitedFirst.Run(p, x, y)
			unitedThen.Run(p, y, w, z)
		}, "united_first united_then"},
		"read twice": {func(tape *compute.Tape, x, y, w, z *compute.Tensor) {
			other := tape.New(5)
			tape.Keep(other)
			unitedFirst.Run(p, x, y)
			unitedThen.Run(p, y, w, z)
			doubledThen.Run(p, y, other)
		}, "united_first united_then double_then"},
		"the other operand": {func(_ *compute.Tape, x, y, w, z *compute.Tensor) {
			unitedFirst.Run(p, x, y)
			unitedThen.Run(p, w, y, z)
		}, "united_first united_then"},
		"needs what comes between": {func(tape *compute.Tape, x, y, w, z *compute.Tensor) {
			v, u := tape.New(5), tape.New(5)
			unitedFirst.Run(p, x, y)
			doubledThen.Run(p, w, v)
			doubledFirst.Run(p, v, u)
			unitedThen.Run(p, y, u, z)
		}, "double_then double_first united"},
		"needs what comes of the first": {func(tape *compute.Tape, x, y, w, z *compute.Tensor) {
			v := tape.New(5)
			unitedFirst.Run(p, x, y)
			doubledThen.Run(p, y, v)
			unitedThen.Run(p, y, v, z)
		}, "united_first double_then united_then"},
		"its input changes between": {func(tape *compute.Tape, x, y, w, z *compute.Tensor) {
			v, u := tape.New(5), tape.New(5)
			tape.Keep(v, u)
			doubledThen.Run(p, x, v)
			unitedFirst.Run(p, v, y)
			doubledThen.Run(p, w, v)
			doubledThen.Run(p, v, u)
			unitedThen.Run(p, y, w, z)
		}, "double_then united double_then double_then"},
		"needs what overwrites its input": {func(tape *compute.Tape, x, y, w, z *compute.Tensor) {
			v := tape.New(5)
			tape.Keep(v)
			doubledThen.Run(p, x, v)
			unitedFirst.Run(p, v, y)
			doubledThen.Run(p, w, v)
			unitedThen.Run(p, y, v, z)
		}, "double_then united_first double_then united_then"},
		"wrong": {func(_ *compute.Tape, x, y, w, z *compute.Tensor) {
			wrongFirst.Run(p, x, y)
			wrongThen.Run(p, y, w, z)
		}, "wrong_first wrong_then"},
	} {
		t.Run(name, func(t *testing.T) {
			record := func() (*compute.Tape, []*compute.Tensor) {
				tape := compute.NewTape(dev)
				rule.Use(tape, unite(united, unitedFirst, unitedThen), unite(unitedWrong, wrongFirst, wrongThen))
				x, y, w, z := tape.Input("x", compute.F32, 5), tape.New(5), tape.Input("w", compute.F32, 5), tape.New(5)
				tape.Keep(z)
				c.record(tape, x, y, w, z)
				return tape, []*compute.Tensor{x, w, z}
			}
			var first []float32
			for _, without := range [][]string{nil, {"fuse"}} {
				tape, tensors := record()
				recorded := len(devicetest.Dispatches(tape))
				prog, err := tape.Compile(append(without, "join", "chain")...)
				if err != nil {
					t.Fatal(err)
				}
				defer prog.Close()
				steps, err := devicetest.Steps(prog)
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, s := range steps {
					names = append(names, strings.TrimSuffix(s.Kernel, ".forward"))
				}
				if without == nil && strings.Join(names, " ") != c.want || without != nil && len(names) != recorded {
					t.Errorf("without %v: %v, want %s", without, names, c.want)
				}
				got := make([]float32, 5)
				for _, err := range []error{
					prog.Write(tensors[0], []float32{1, 2, 3, 4, 5}), prog.Write(tensors[1], []float32{7, 11, 13, 17, 19}),
					prog.Run(t.Context()), prog.Read(t.Context(), tensors[2], got),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				if first == nil {
					first = got
				}
				if !slices.Equal(got, first) || got[0] == 0 {
					t.Errorf("got %v, without %v %v", first, without, got)
				}
			}
		})
	}
	if r := devicetest.Machine(dev).Refused(); len(r) != 1 || r[0].Kernel != "wrong_first.forward" || r[0].Variant != "united_wrong.forward" {
		t.Errorf("refused: %+v", r)
	}
}
