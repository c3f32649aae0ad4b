package wgsl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// language is a text of all that compute shaders have.
const language = `enable f16, subgroups;
requires readonly_and_readwrite_storage_textures;
diagnostic(off, derivative_uniformity);
alias Row = array<vec4<f32>, 4>;
const_assert 1 < 2;
struct Params { @align(16) n: u32, @size(16) rows: Row, }
@id(7) override width: u32 = 64u;
override height: f32;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(2) var picture: texture_2d<f32>;
var<private> seed: u32 = 1u;
var<workgroup> tile: array<f32, width>;
const big: f32 = 0x1.8p4f;;

// note: of first
// and: more
fn first(p: ptr<function, f32>, @location(0) v: vec2f) -> @location(0) f32 {
    *p = (*p) + 1.0;
    let q = &(*p);
    return *q;
}

@compute @workgroup_size(width, 1, 1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var a: array<f32, 4>; var<function> b = 1.0; const c = 3i;
    _ = id.x;
    a[0] += 1.0; a[1] -= 1.0; a[2] *= 2.0; a[3] /= 2.0;
    var i = 5u; i %= 3u; i &= 1u; i |= 2u; i ^= 1u; i <<= 1u; i >>= 1u; i++; i--;
    for (var k = 0; k < 4; k++) { if k == 2 { continue; } else if k == 3 { break; } else { a[k] = 0.0; } }
    for (;;) { break; }
    for (; i < 4u; i += 1u) {}
    for (first(&b, vec2f());;) { break; }
    while i > 0u { i--; }
    loop { if i > 9u { break; } continuing { i++; break if i == 7u; } }
    loop { break; continuing { i++; } }
    loop { { break; } }
    switch i { case 1u, 2u: { i = 1u; } case 3u { } default: { i = 2u; } }
    switch (i) { case 0u, default { } }
    const_assert c == 3i;
    { let x = ~i & 1u | 0u; }
    ;
    let s = vec3<f32>(a[0], b, 1.0).zyx;
    let flags = !(i < 2u) && true || false;
    workgroupBarrier();
    atomicAdd(&y[i], 1u);
    // unroll
    for (var k = 0; k <= 2; k = k + 1) { a[k] = s.x; }
}
`

// TestRoundTrip reads what String writes of every shader, and wants the same text again.
func TestRoundTrip(t *testing.T) {
	files, err := filepath.Glob("../../shaders/*.wgsl")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	texts := map[string]string{"language": strings.NewReplacer("~i & 1u | 0u", "(~i & 1u) | 0u", "!(i < 2u) && true || false", "(!(i < 2u) && true) || false").Replace(language)}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	for name, text := range texts {
		m, err := wgsl.Parse(text)
		if err != nil {
			t.Errorf("%s:%v", name, err)
			continue
		}
		once := m.String()
		again, err := wgsl.Parse(once)
		if err != nil {
			t.Errorf("%s, written: %v\n%s", name, err, once)
			continue
		}
		if twice := again.String(); twice != once {
			t.Errorf("%s: written twice it differs", name)
		}
	}
}

// TestMixed wants an error where operators stand side by side that need parentheses.
func TestMixed(t *testing.T) {
	if _, err := wgsl.Parse(language); err == nil || !strings.HasPrefix(err.Error(), "40:23: ") {
		t.Errorf("got %v, want an error on the line of ~i & 1u | 0u", err)
	}
}

// TestNotes wants the comments right above a function, and no others, and the mark of a
// loop.
func TestNotes(t *testing.T) {
	m, err := wgsl.Parse("// a\n\n// b\n// c\nfn f() { x = 1; // unroll\n\nfor (;;) {}\n// unroll\nfor (var i = 0; i < 2; i++) {} }\nconst k = 1; // d\nfn g() {}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Func("f").Notes, ","); got != "b,c" {
		t.Errorf("notes of f: %s, want b,c", got)
	}
	if got := m.Func("g").Notes; got != nil {
		t.Errorf("notes of g: %q, want none", got)
	}
	body := m.Func("f").Body.List
	if body[1].(*wgsl.For).Unroll || !body[2].(*wgsl.For).Unroll {
		t.Error("the second loop is marked, and no other")
	}
	if c := m.Const("k"); c.Line != 10 || c.Column != 1 || c.From != strings.Index("// a\n\n// b\n// c\nfn f() { x = 1; // unroll\n\nfor (;;) {}\n// unroll\nfor (var i = 0; i < 2; i++) {} }\nconst k = 1; // d\n", "1; // d") || c.To != c.From+1 {
		t.Errorf("k stands at %v, its value at %d to %d", c.Pos, c.From, c.To)
	}
}

// FuzzParse wants no text to make Parse or a pass panic, and what String writes to be read
// as the same.
func FuzzParse(f *testing.F) {
	f.Add(language)
	f.Add(strings.NewReplacer("~i & 1u | 0u", "~i & 1u", "true || false", "true", "requires readonly_and_readwrite_storage_textures;\n", "").Replace(language))
	for _, seed := range []string{
		"const a = f((a < b), c > d);", "fn f() { a<b>(c); }", "fn f(){loop{continuing{break if a<b;}}}", "fn f() { switch a { case a<b, default { } } }",
		"// unroll\nfn f() {\n// unroll\nfor(var i=0u;i<4u;i++){y[i]=x[i];}\nif true {return;} else {{let a = 1;}} }", "var<storage,read_write> y: array<f32>;fn f(){y[0]+=y[1];}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		m, err := wgsl.Parse(text)
		if err != nil {
			return
		}
		once := m.String()
		again, err := wgsl.Parse(once)
		if err != nil {
			t.Fatalf("written: %v\n%s", err, once)
		}
		if twice := again.String(); twice != once {
			t.Fatalf("written once:\n%s\ntwice:\n%s", once, twice)
		}
		for _, d := range m.Decls {
			if v, ok := d.(*wgsl.Var); ok && v.Type != nil {
				wgsl.StoreF16(m, v.Name)
			}
		}
		unrolled, err := wgsl.Unroll(m)
		if err != nil {
			return
		}
		flat := wgsl.Flatten(wgsl.Drop(unrolled)).String()
		if _, err := wgsl.Parse(flat); err != nil {
			t.Fatalf("flattened: %v\n%s", err, flat)
		}
	})
}
