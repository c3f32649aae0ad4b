package wgsl_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// eachHead declares what the kernels below use.
const eachHead = `struct Params { n: u32, m: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<f32>;
@group(0) @binding(5) var<storage, read> table: array<u32>;
@group(0) @binding(6) var<storage, read_write> y4: array<vec4<f32>>;
const block: u32 = 64u;
const accumulate: bool = true;
const other: bool = true;
const k: u32 = 3u;
const bias = 1.0;
var<private> seed: f32 = 1.0;
var<private> flag: bool = true;
var<workgroup> tile: array<f32, 64>;
fn twice(v: f32) -> f32 { return v + v; }
fn loads(i: u32) -> f32 { return x[i]; }
fn stores(v: f32) { y[0] = v; }
fn through(p: ptr<storage, array<f32>, read_write>) { (*p)[0] = 1.0; }
fn index(g: vec3<u32>, s: vec3<u32>) -> u32 { return g.x; }
fn fold(gx: u32, gy: u32, row: u32) -> u32 { return gy * row * block + gx; }
fn deep(i: u32) -> u32 { return deeper(i) + deeper(i); }
fn deeper(i: u32) -> u32 { return deep(i) + deep(i); }
`

// entry is an entry point with all built-in values that one can ask for.
func entry(body string) string {
	return eachHead + `@compute @workgroup_size(block) fn f(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>, @builtin(local_invocation_index) lane: u32) { ` + body + "}\n"
}

func each(t *testing.T, text, size string) *wgsl.Each {
	t.Helper()
	m, err := wgsl.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	x, err := wgsl.ParseExpr(size)
	if err != nil {
		t.Fatal(err)
	}
	return wgsl.NewEach(m, "f", 64, x)
}

const plainIndex = "let i = id.y * groups.x * block + id.x; "

// TestEachSpellings wants a pointwise kernel found however it is spelled.
func TestEachSpellings(t *testing.T) {
	var bodies []string
	for _, index := range []string{
		"id.y * groups.x * block + id.x", "id.x + id.y * groups.x * 64u", "id.x+groups.x*id.y*block", "(id.y*block)*groups.x + id.x",
		"wid.x*64u + lid.x + wid.y*groups.x*64u", "(wid.y * groups.x + wid.x) * block + lane", "lane + block * (wid.x + groups.x * wid.y)",
		"id.y * groups.x * (32u + 32u) + id.x + 0u", "((wid.y * groups.x + wid.x) << 6u) + lid.x", "id.x + id.y * (groups.x * 0x40)",
		"id.x - 5u + id.y * groups.x * block + 5u", "fold(id.x, id.y, groups.x)", "id.x + wid.y * groups.x * block * 1u",
	} {
		bodies = append(bodies, "let i = "+index+"; if i >= params.n { return; } y[i] = params.by * x[i];")
	}
	for _, guard := range []string{
		"if i >= params.n { return; }", "if (i>=params.n) { return; }", "if params.n <= i { return; }", "if !(i < params.n) { return; }", "if !(params.n > i) { return; }",
		"let n = params.n; if i >= n { return; }", "let n = params.n + 1u; if n - 1u <= i { return; }", "const one = 1u; if i >= params.n * one { return; }", "if !(!(i >= params.n)) { return; }",
	} {
		bodies = append(bodies, plainIndex+guard+" y[i] = params.by * x[i];")
	}
	bodies = append(bodies,
		plainIndex+"if i < params.n { y[i] = params.by * x[i]; }", plainIndex+"if params.n > i { let v = x[i]; y[i] = params.by * v; }", plainIndex+"if !(i >= params.n) { y[i] = params.by * x[i]; }",
		"let row = groups.x; let a = id.y * row; let b = a * block; let j = b + id.x; let i = j; if i >= params.n { return; } y[i] = params.by * x[j];",
		"let j = id.y * groups.x * block; if j + id.x >= params.n { return; } y[j + id.x] = params.by * x[id.x + j];",
		plainIndex+"if i >= params.n { return; } let v = x[i]; var r = params.by; r *= v; y[i] = r;",
		plainIndex+"if i >= params.n { return; } let at = i; let here = at; y[here] = params.by * x[at];",
		plainIndex+"let v = params.by; if i >= params.n { return; } y[i] = v * x[i];",
		plainIndex+"if i >= params.n { return; } var v = x[i]; if v < 0.0 { v = 0.0; } else if v > 1.0 { v = 1.0; } for (var t = 0u; t < 3u; t++) { if v > 2.0 { break; } v = twice(v); } y[i] = select(v, bias, v > 3.0);",
		plainIndex+"if i >= params.n { return; } var v = x[i]; switch k { case 1u { v = 1.0; } default { v = params.by; } } loop { if v > 1.0 { break; } v += 1.0; continuing { v += 1.0; } } while v > 5.0 { v -= 1.0; } y[i] = v;",
		plainIndex+"if i >= params.n { return; } { let v = 1.0; _ = v; } let v = x[i]; y[i] = v;",
		plainIndex+"if i >= params.n { return; } let z = 1.0; y[i] = z * x[i];",
		plainIndex+"if i >= params.n { return; } let q = x[i]; { let x = 1.0; _ = x; } y[i] = q;", // x is a local somewhere: it is not handed
	)
	for n, b := range bodies {
		e := each(t, entry(b), "params.n")
		if e == nil || e.Output != "y" || !e.First || !e.Pointwise {
			t.Errorf("%s\nis not found: %+v", b, e)
			continue
		}
		if want := []string{"x"}; n < len(bodies)-1 && !slices.Equal(e.Elements, want) {
			t.Errorf("%s\nreads %v by element, want %v", b, e.Elements, want)
		}
		if text := (&wgsl.Module{Decls: []wgsl.Decl{e.Function("g", "at_", "v_", e.Elements)}}).String(); len(e.Elements) > 0 && (strings.Contains(text, "x[") || strings.Contains(text, "id.")) {
			t.Errorf("%s\nas a function is\n%s", b, text)
		}
	}
	// other names, of everything
	e := each(t, `struct Sizes { count: u32 } @group(0) @binding(0) var<uniform> params: Sizes; @group(0) @binding(1) var<storage> a: array<f32>; @group(0) @binding(2) var<storage,read_write> b: array<f32>;
@compute @workgroup_size(64, 1, 1) fn f(@builtin(num_workgroups) c: vec3u, @builtin(global_invocation_id) d: vec3u) { let e = d.x + 64 * d.y * c.x; if (params.count <= e) { return; } b[e] = a[e]; }`, "params.count")
	if e == nil || e.Output != "b" || !e.Pointwise || !slices.Equal(e.Elements, []string{"a"}) {
		t.Errorf("other names: %+v", e)
	}
	// sizes that are rounded up, and baked params
	for size, bound := range map[string]string{"ceil(params.n / 4)": "(params.n + 3u) / 4u", "params.n * params.m": "params.m * params.n", "params.n": "params.n", "7": "k + 4u"} {
		if e := each(t, entry(plainIndex+"if i >= "+bound+" { return; } y[i] = x[i];"), size); e == nil || !e.Pointwise {
			t.Errorf("%s, bound by %s, is not found", size, bound)
		}
	}
}

// TestEachAdds wants to know an array that a kernel adds to, and what it reads of it.
func TestEachAdds(t *testing.T) {
	const guard = plainIndex + "if i >= params.n { return; } "
	for body, want := range map[string]struct {
		first    bool
		elements []string
	}{
		"var v = x[i]; if accumulate { v += y[i]; } y[i] = v;":                           {true, []string{"x", "y"}},
		"var v = x[i]; v += y[i]; y[i] = v;":                                             {false, []string{"x", "y"}},
		"var v = x[i]; if accumulate && other { v += y[i]; } y[i] = v;":                  {false, []string{"x", "y"}},
		"var v = x[i]; if other { v += y[i]; } y[i] = v;":                                {false, []string{"x", "y"}},
		"var v = x[i]; if accumulate { v += 1.0; } else { v += y[i]; } y[i] = v;":        {false, []string{"x", "y"}},
		"var v = x[i]; let accumulate = v > 0.0; if accumulate { v += y[i]; } y[i] = v;": {false, []string{"x", "y"}},
		"var v = x[i]; if accumulate { v += y[i + 1u]; } y[i] = v;":                      {false, nil},
		"var v = x[i]; if accumulate { v += y[i]; v += y[i]; } y[i] = v;":                {true, []string{"x", "y"}},
	} {
		e := each(t, entry(guard+body), "params.n")
		if e == nil || e.First != want.first || want.elements != nil && !slices.Equal(e.Elements, want.elements) || want.elements == nil && e.Pointwise {
			t.Errorf("%s: %+v, want %v", body, e, want)
		}
	}
	// accumulate that is no constant of the module
	text := strings.Replace(entry(guard+"var v = x[i]; if accumulate { v += y[i]; } y[i] = v;"), "const accumulate: bool", "var<private> accumulate: bool", 1)
	if e := each(t, text, "params.n"); e != nil && e.First {
		t.Error("accumulate is a variable: the kernel reads what it writes")
	}
}

// TestEachLookAlikes wants nothing found, or less, of kernels that look like pointwise
// ones and are none.
func TestEachLookAlikes(t *testing.T) {
	const guard = plainIndex + "if i >= params.n { return; } "
	// no element-wise kernels at all
	for _, b := range []string{
		plainIndex + "if i >= params.n || x[i] <= 0.0 { return; } y[i] = 2.0 * x[i];",
		plainIndex + "if x[i] <= 0.0 || i >= params.n { return; } y[i] = x[i];",
		plainIndex + "if i >= params.n && other { return; } y[i] = x[i];",
		plainIndex + "if i < params.n && x[i] > 0.0 { y[i] = x[i]; }",
		plainIndex + "if i >= params.m { return; } y[i] = x[i];",
		plainIndex + "if i > params.n { return; } y[i] = x[i];",
		plainIndex + "if i <= params.n { y[i] = x[i]; }",
		plainIndex + "if i >= params.n - 1u { return; } y[i] = x[i];",
		plainIndex + "if i + 1u >= params.n { return; } y[i] = x[i];",
		plainIndex + "if i == params.n { return; } y[i] = x[i];",
		plainIndex + "if params.n >= i { return; } y[i] = x[i];",
		plainIndex + "if i < params.n { return; } y[i] = x[i];",
		plainIndex + "if i >= params.n { return; } else { y[i] = x[i]; }",
		plainIndex + "if i < params.n { y[i] = x[i]; } else { y[0] = 1.0; }",
		plainIndex + "if i < params.n { y[i] = x[i]; } y[0] = 1.0;",
		plainIndex + "y[i] = x[i];",
		plainIndex + "{ if i >= params.n { return; } } y[i] = x[i];",
		plainIndex + "if i >= params.n { y[0] = 0.0; return; } y[i] = x[i];",
		guard + "if x[i] <= 0.0 { return; } y[i] = x[i];",
		guard + "for (;;) { if x[i] > 0.0 { return; } break; } y[i] = x[i];",
		guard + "if x[i] > 0.0 { y[i] = x[i]; }",
		guard + "{ y[i] = x[i]; }",
		guard + "for (var t = 0u; t < 2u; t++) { y[i] = x[i]; }",
		guard + "for (var t = 0u; t < 2u; y[t] = 1.0) { t++; } y[i] = x[i];",
		guard + "y[i] = x[i]; y[i] = 2.0 * x[i];",
		guard + "y[i] = x[i]; y[i + 1u] = 0.0;",
		guard + "y[i] = x[i]; w[i] = 1.0;",
		guard + "y[i] = x[i]; y4[i].x = 1.0;",
		guard + "y[i] = x[i]; stores(1.0);",
		guard + "through(&y); y[i] = x[i];",
		guard + "let p = &y[i]; *p = x[i];",
		guard + "let p = &y; y[i] = x[i]; (*p)[0] = 1.0;",
		guard + "y[i] += x[i];",
		guard + "y[i]++;",
		guard + "y[i + 1u] = x[i];", guard + "y[params.n - 1u - i] = x[i];", guard + "y[k] = x[i];", guard + "y[table[i]] = x[i];",
		guard + "let y = 1.0; y[i] = x[i];", guard + "var y = array<f32, 4>(); y[i] = x[i];",
		guard + "var j = i; j += 1u; y[j] = x[i];",
		guard + "{ let i = 0u; _ = i; } let j = i; { let j = 0u; _ = j; } y[j] = x[i];", // which j is not known
		"let i = id.x; if i >= params.n { return; } y[i] = x[i];",
		"let i = wid.x * block + lid.x; if i >= params.n { return; } y[i] = x[i];",
		"let i = id.y * groups.y * block + id.x; if i >= params.n { return; } y[i] = x[i];",
		"let i = id.y * groups.x + id.x; if i >= params.n { return; } y[i] = x[i];",
		"let i = id.y * groups.x * 32u + id.x; if i >= params.n { return; } y[i] = x[i];",
		"let i = index(id, groups); if i >= params.n { return; } y[i] = x[i];",
		"var i = id.y * groups.x * block + id.x; if i >= params.n { return; } i += 1u; y[i] = x[i];",
		"let id = vec3<u32>(0u); let i = id.y * groups.x * block + id.x; if i >= params.n { return; } y[i] = x[i];",
		"let params = Params(1u, 2u, 3.0); " + guard + "y[i] = x[i];",
		"let block = 1u; " + guard + "y[i] = x[i];",
		"let i = i32(id.y * groups.x * block + id.x); if i >= i32(params.n) { return; } y[i] = x[i];",
		"let v = 1.0; " + plainIndex + "if i < params.n { let v = x[i]; y[i] = v; }", // one list would declare v twice
	} {
		if e := each(t, entry(b), "params.n"); e != nil && (e.First || e.Pointwise) {
			t.Errorf("%s\nis taken for an element-wise kernel: %+v", b, e)
		}
	}
	// kernels of each element of which one thing is not so
	for _, c := range []struct {
		body             string
		first, pointwise bool
		not              []string // the arrays that they use in another way
	}{
		{guard + "y[i] = x[i] + x[i + 1u];", true, true, []string{"x"}},
		{guard + "y[i] = x[i] + x[0];", true, true, []string{"x"}},
		{guard + "y[i] = x[i] + loads(k);", true, true, []string{"x"}},
		{guard + "y[i] = x[i] + f32(arrayLength(&x));", false, false, nil},
		{guard + "let p = &x[i]; y[i] = *p;", false, false, nil},
		{guard + "let a = x[k]; let k = i; y[k] = a;", false, false, nil}, // two k
		{guard + "let a = x[table[i]]; y[i] = a * z[i];", true, true, []string{"x", "table"}},
		{guard + "{ let x = 1.0; _ = x; } y[i] = x[i];", true, true, []string{"x"}},
		{guard + "y[i] = x[i] * seed;", true, false, nil},
		{guard + "seed = x[i]; y[i] = seed;", true, false, nil},
		{guard + "y[i] = x[i] + f32(id.x);", true, false, nil},
		{guard + "y[i] = x[i] + f32(lane);", true, false, nil},
		{guard + "y[i] = x[i]; let after = 1.0; _ = after;", true, false, nil},
		{guard + "tile[lane] = x[i]; y[i] = tile[lane];", true, false, nil},
		{guard + "workgroupBarrier(); y[i] = x[i];", false, false, nil},
		{guard + "y[i] = subgroupAdd(x[i]);", false, false, nil},
		{guard + "y[i] = x[i] + y[i + 1u];", false, false, nil},
		{guard + "y[i] = x[i] + y[i];", false, true, nil},
	} {
		e := each(t, entry(c.body), "params.n")
		if e == nil {
			if c.first || c.pointwise {
				t.Errorf("%s is not found", c.body)
			}
			continue
		}
		if e.First != c.first || e.Pointwise != c.pointwise {
			t.Errorf("%s: first %v, pointwise %v, want %v, %v", c.body, e.First, e.Pointwise, c.first, c.pointwise)
		}
		for _, name := range c.not {
			if slices.Contains(e.Elements, name) {
				t.Errorf("%s reads %s by element: it does not", c.body, name)
			}
		}
	}
}

// TestEachEnds wants short texts whose expressions are long to be looked at in no time:
// what is too long, or names itself, is no index.
func TestEachEnds(t *testing.T) {
	lets := func(first, each string) string {
		text := "let a0 = " + first + "; "
		for n := range 60 {
			text += strings.NewReplacer("B", "a"+string(rune('0'+(n+1)/10))+string(rune('0'+(n+1)%10)), "A", map[bool]string{true: "a0", false: "a" + string(rune('0'+n/10)) + string(rune('0'+n%10))}[n == 0]).Replace("let B = " + each + "; ")
		}
		return text
	}
	for _, first := range []string{
		lets("id.x", "A + A"), lets("id.x + wid.x + groups.x", "A * A"), lets("id.x", "A * A"), lets("id.x + params.n", "A / A + A % A"), lets("id.x", "(A / (A + 1u)) * A"),
		"let a60 = deep(id.x);", "let k = k + 1u; let a60 = k;", "let seed = seed + 1.0; let a60 = u32(seed);", "let a60 = id.x << 40u;", "let a60 = id.x << (2 - 3);",
		"let a60 = " + strings.Repeat("fold(id.x, id.y, ", 20) + "groups.x" + strings.Repeat(")", 20) + ";",
	} {
		if e := each(t, entry(first+plainIndex+"if i >= params.n { return; } y[i] = x[a60] + x[i];"), "params.n"); e == nil || slices.Contains(e.Elements, "x") {
			t.Errorf("%.60s: %+v, want a kernel that reads x elsewhere", first, e)
		}
		if e := each(t, entry(first+plainIndex+"if i >= a60 { return; } y[i] = x[i];"), "params.n"); e != nil {
			t.Errorf("%.60s: %+v, want nothing", first, e)
		}
	}
}
