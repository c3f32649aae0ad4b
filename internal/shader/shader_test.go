package shader

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
	"github.com/pumice-ml/pumice/shaders"
)

// TestFiles checks the rules that every shader file keeps.
func TestFiles(t *testing.T) {
	for _, name := range shaders.Names() {
		s, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(s.Text, "// "+name) || !strings.Contains(strings.SplitN(s.Text, "\n", 2)[0], ": ") {
			t.Errorf("%s.wgsl: the first line must be // %s...: formula", name, name)
		}
		// Of whole numbers any order has one sum and one minimum, as long as nobody looks
		// at them on the way.
		for line := range strings.Lines(s.module.String()) {
			line = strings.NewReplacer("atomicOr(", "", "atomic<u32>", "").Replace(strings.TrimSpace(line))
			if strings.Contains(strings.TrimPrefix(strings.TrimPrefix(line, "atomicAdd("), "atomicMin("), "atomic") {
				t.Errorf("%s.wgsl: %s: atomics make what they give depend on the run; only atomicOr, and atomicAdd and atomicMin as statements, do not", name, line)
			}
		}
		for _, e := range s.Entries {
			if len(e.Bindings) == 0 || len(e.Bindings) > 8 {
				t.Errorf("%s.%s uses %d storage buffers, want 1 to 8", name, e.Name, len(e.Bindings))
			}
			if _, err := s.Specialize(e.Name, nil, nil); err != nil {
				t.Error(err)
			}
			if e.Trips == "" && loops(s, e.Name) {
				t.Errorf("%s.%s loops and has no // trips: line", name, e.Name)
			}
			if len(e.Size) == 1 && e.Size[0] != "1" && !strings.Contains(only(s, e.Name), ".y * ") {
				t.Errorf("%s.%s: its index leaves out y, into which a grid of one dimension is folded", name, e.Name)
			}
		}
	}
}

// only is the text of an entry point alone.
func only(s *Shader, entry string) string {
	return (&wgsl.Module{Decls: []wgsl.Decl{s.module.Func(entry)}}).String()
}

// loops reports whether an entry point keeps a loop once unrolled.
func loops(s *Shader, entry string) bool {
	text, err := s.Specialize(entry, nil, nil)
	if err != nil {
		return false
	}
	p, err := Parse(s.Name, text)
	if err != nil {
		return false
	}
	for _, word := range []string{"for (", "loop {", "while "} {
		if strings.Contains(only(p, entry), word) {
			return true
		}
	}
	return false
}

const good = `// twice: y = 2 x.
// x, y are (n).
struct Params { n: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> unused: array<u32>;
const block: u32 = 4u * 2u;
const tile: u32 = 3u;

// invocations: ceil(n/tile), 2
// trips: tile
// flops: 2*n
@compute @workgroup_size(block, 2)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum: array<f32, 9>; // not a loop: for (
    // unroll
    for (var i = 0u; i < tile; i++) {
        sum[i * 3u + 1u] = x[id.x] * params.scale;
    }
    y[id.x] = sum[1];
}
// workgroups: n
@compute @workgroup_size(1)
fn other() { y[0] = 1.0; }
`

func TestParse(t *testing.T) {
	s, err := Parse("twice", good)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := s.Entry("forward")
	if !ok || e.Workgroup != [3]int{8, 2, 1} || len(e.Bindings) != 2 || e.Bindings[0].Name != "x" || e.Bindings[1].Access != "read_write" {
		t.Errorf("forward is %+v", e)
	}
	if e.Groups || len(e.Size) != 2 || e.Size[0] != "ceil(n/tile)" || e.Trips != "tile" || e.Flops != "2*n" {
		t.Errorf("forward is %+v", e)
	}
	if o, _ := s.Entry("other"); !o.Groups || len(o.Bindings) != 1 {
		t.Errorf("other is %+v", o)
	}
	if len(s.Params) != 2 || s.Params[1] != (Field{"scale", "f32"}) || !s.Bindings[3].Unsigned() {
		t.Errorf("params %v, bindings %v", s.Params, s.Bindings)
	}
}

// TestAdds wants the arrays that entry points add to: those in a block that accumulates.
func TestAdds(t *testing.T) {
	want := map[string]string{
		"softmax_cross_entropy_gradient.forward": "dx", "conv2d.join_biased": "dw db", "conv2d.join": "dw", "relu.backward": "dx", "relu.forward": "", "max_pool2d_pairs.backward": "dx",
	}
	for _, name := range shaders.Names() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			got := strings.Join(e.Adds, " ")
			if w, ok := want[name+"."+e.Name]; ok && got != w || slices.Contains(e.Consts, "accumulate") != (got != "") {
				t.Errorf("%s.%s adds to %q, want %q", name, e.Name, got, w)
			}
			delete(want, name+"."+e.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("no entry points %v", want)
	}
	s, err := Parse("both", `// both: y, z += x.
// x, y, z are (n)
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
const accumulate: bool = true;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    y[id.x] = x[id.x] + select(0.0, y[id.x], accumulate);
    z[id.x] = x[id.x];
}
`)
	if err != nil || strings.Join(s.Entries[0].Adds, " ") != "y z" {
		t.Errorf("without such a block: %v, %v, want all that is written", s.Entries[0].Adds, err)
	}
}

func TestSpecialize(t *testing.T) {
	s, err := Parse("twice", good)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Specialize("forward", map[string]string{"tile": "2u"}, []string{"5u", "2f"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"const params = Params(5u, 2f);", "const tile: u32 = 2u;", "sum[1u] = x[id.x]", "sum[4u] = x[id.x]"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"var<uniform>", "fn other", "sum[7u]", "// unroll"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is in\n%s", not, text)
		}
	}
	for name, f := range map[string]func() (string, error){
		"no such entry point": func() (string, error) { return s.Specialize("backward", nil, nil) },
		"no constant depth":   func() (string, error) { return s.Specialize("forward", map[string]string{"depth": "1u"}, nil) },
		"1 params, want 2":    func() (string, error) { return s.Specialize("forward", nil, []string{"1u"}) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// TestDecide leaves out branches that baked params rule out, in unrolled loops too.
func TestDecide(t *testing.T) {
	const text = `// pick: y[i] = i.
// y is (n)
struct Params { n: u32, kind: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(1)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    // if kind == 0u { comment }
    // unroll
    for (var i = 0u; i < 3u; i++) {
        if params.kind == 2u && i >= 1u {
            y[i] = 10.0;
        } else if params.kind * 2u < i {
            y[i] = 20.0;
        } else {
            if id.x == 0u { y[i] = 30.0; }
        }
    }
    if params.n - 8u > 1u { y[0] = 40.0; }
}
`
	s, err := Parse("pick", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		params []string
		want   map[string]int
	}{
		{[]string{"5u", "2u"}, map[string]int{"10.0": 2, "20.0": 0, "30.0": 1, "40.0": 1, "if id.x == 0u": 1, "params.kind": 0, "else": 0, "params.n - 8u": 1}},
		{[]string{"5u", "0u"}, map[string]int{"10.0": 0, "20.0": 2, "30.0": 1, "40.0": 1, "params.kind": 0, "else": 0}},
		{nil, map[string]int{"10.0": 3, "20.0": 3, "30.0": 3, "params.kind": 6, "else": 6}},
	} {
		got, err := s.Specialize("forward", nil, c.params)
		if err != nil {
			t.Fatal(err)
		}
		for part, n := range c.want {
			if strings.Count(got, part) != n {
				t.Errorf("params %v: %q is there %d times, want %d, in\n%s", c.params, part, strings.Count(got, part), n, got)
			}
		}
		if strings.Count(got, "{") != strings.Count(got, "}") {
			t.Errorf("params %v: braces do not match in\n%s", c.params, got)
		}
	}
	for expr, want := range map[string]int{"3 < 4 && 2 == 2": 1, "3 >= 4 || 1 != 1": 0, "(4 <= 4) + (5 > 4)": 2} {
		if v, err := Eval(expr, nil); err != nil || v != want {
			t.Errorf("%s is %d, %v, want %d", expr, v, err, want)
		}
	}
}

// TestUnrollParams expands a loop over a field of params when they are baked,
// and keeps it when they are not.
// TestWith wants the workgroup, and all that a text of the new values would give.
func TestWith(t *testing.T) {
	s, err := Parse("twice", good)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.With(map[string]string{"block": "16u", "tile": "5u"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse("twice", strings.Replace(strings.Replace(good, "4u * 2u;", "16u;", 1), "tile: u32 = 3u", "tile: u32 = 5u", 1))
	if err != nil || !reflect.DeepEqual(w, want) || w.Entries[0].Workgroup[0] != 16 {
		t.Errorf("got %+v, want %+v, %v", w, want, err)
	}
	for _, consts := range []map[string]string{{"none": "3u"}, {"block": "none"}} {
		if _, err := s.With(consts); err == nil || !strings.Contains(err.Error(), "twice.wgsl: ") {
			t.Errorf("%v: error %v", consts, err)
		}
	}
}

func TestUnrollParams(t *testing.T) {
	s, err := Parse("twice", strings.Replace(good, "i < tile", "i < params.n", 1))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := s.Specialize("forward", nil, []string{"2u", "1f"}); err != nil || strings.Contains(text, "i < params.n") || !strings.Contains(text, "sum[4u]") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err := s.Specialize("forward", nil, nil); err != nil || !strings.Contains(text, "i < params.n") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestParseRefuses(t *testing.T) {
	for want, edit := range map[string][2]string{
		"no struct Params":              {"struct Params", "struct Other"},
		"Params.scale is f16":           {"scale: f32", "scale: f16"},
		"binding 0, and no other":       {"@binding(3) var<storage, read>", "@binding(3) var<uniform>"},
		"no params at binding 0":        {"@group(0) @binding(0) var<uniform> params: Params;", ""},
		"no @workgroup_size":            {"@workgroup_size(1)", ""},
		"want a line \"// invocations":  {"// workgroups: n\n", "\n"},
		"has address space \"private\"": {"var<storage, read> unused", "var<private> unused"},
		"26:1: got the end of the text, want the brace that closes the one at 25:12": {"y[0] = 1.0; }", "y[0] = 1.0;"},
		"8:23: got \"4\", want \";\"": {"4u * 2u", "4u 4"},
	} {
		_, err := Parse("twice", strings.Replace(good, edit[0], edit[1], 1))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestEval(t *testing.T) {
	names := func(name string) (int, bool) { v, ok := map[string]int{"n": 10, "params.k": 7}[name]; return v, ok }
	for expr, want := range map[string]int{"1": 1, "2u*3u+n": 16, "ceil(n/4)": 3, "n/4": 2, "n%4": 2, "(n+2)*params.k": 84, "min(n, 3)": 3, "max(n, 3)-1": 9} {
		if got, err := Eval(expr, names); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", expr, got, err, want)
		}
	}
	for _, expr := range []string{"m", "n/0", "n <<", "f(n)", "1.5", "n & 3", "q.k"} {
		if got, err := Eval(expr, names); err == nil {
			t.Errorf("%s: got %d, want an error", expr, got)
		}
	}
}

// TestShapes reads the dimensions of arrays from the header.
func TestShapes(t *testing.T) {
	s, err := Parse("twice", "// twice: y = 2 x.\n// x, y are (rows, ceil(n/4)); part is\n// (max(n, 2)). Nothing is said (of z).\n"+good[strings.Index(good, "struct"):])
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"x": {"rows", "ceil(n/4)"}, "y": {"rows", "ceil(n/4)"}, "part": {"max(n, 2)"}}
	if got := s.Shapes(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
