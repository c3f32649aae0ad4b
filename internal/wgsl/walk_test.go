package wgsl_test

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

func parsed(t *testing.T, text string) *wgsl.Module {
	t.Helper()
	m, err := wgsl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRename wants the module's names changed, and neither those of locals nor of members.
func TestRename(t *testing.T) {
	m := parsed(t, `struct S { x: f32, v: array<f32, n> } alias T = S; const n = 4; @group(0) @binding(n) var<storage, read> x: array<S, n>; @id(n) override o = n; const_assert n > 3;
fn h(x: f32) -> f32 { return x + f32(n); }
@compute @workgroup_size(n) fn g(@builtin(workgroup_id) n_: vec3<u32>) {
    let a = x[n].x + h(x[0].v[n]);
    let n = n + 1;
    { let x = x[n].x; let b = x; }
    for (var h = h(1.0); h < f32(n); h += x[0].x) { let c = h; }
    let d = x[n].x + T(1.0).x + S().x;
    loop { let x = 1; continuing { break if x > n; } }
    var e: array<S, o>;
}`)
	names := map[string]string{"x": "X", "n": "N", "h": "H", "S": "Z", "T": "U", "o": "O", "g": "G"}
	want := parsed(t, `struct Z { x: f32, v: array<f32, N> } alias U = Z; const N = 4; @group(0) @binding(N) var<storage, read> X: array<Z, N>; @id(N) override O = N; const_assert N > 3;
fn H(x: f32) -> f32 { return x + f32(N); }
@compute @workgroup_size(N) fn G(@builtin(workgroup_id) n_: vec3<u32>) {
    let a = X[N].x + H(X[0].v[N]);
    let n = N + 1;
    { let x = X[n].x; let b = x; }
    for (var h = H(1.0); h < f32(n); h += X[0].x) { let c = h; }
    let d = X[n].x + U(1.0).x + Z().x;
    loop { let x = 1; continuing { break if x > n; } }
    var e: array<Z, O>;
}`).String()
	if got := wgsl.Rename(m, names).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestOnly wants what a function needs, through others, in the order of the text.
func TestOnly(t *testing.T) {
	m := parsed(t, `enable f16;
const a = 1u; const b = a; const unused = 2u; const block = 64;
struct S { n: T } alias T = array<f32, b>; struct Other { x: f32 }
var<private> p: S; var<private> q: Other;
const_assert b > 0; const_assert unused > b; const_assert 1 < 2;
fn inner() -> f32 { return p.n[0]; }
fn outer() -> f32 { let unused = 1.0; return inner() + unused; }
fn alone() {}
@compute @workgroup_size(block) fn main() { var x = outer(); }
@compute @workgroup_size(1) fn second() { alone(); }`)
	made, err := wgsl.Specialise(m, "main", map[string]wgsl.Expr{"a": &wgsl.Literal{Text: "7u"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := parsed(t, `enable f16;
const a = 7u; const b = a; const block = 64;
struct S { n: T } alias T = array<f32, b>;
var<private> p: S;
const_assert b > 0; const_assert 1 < 2;
fn inner() -> f32 { return p.n[0]; }
fn outer() -> f32 { let unused = 1.0; return inner() + unused; }
@compute @workgroup_size(block) fn main() { var x = outer(); }`).String()
	if made.String() != want {
		t.Errorf("got\n%s\nwant\n%s", made, want)
	}
}

// TestSpecialise wants params and constants baked in, and errors of others.
func TestSpecialise(t *testing.T) {
	m := parsed(t, "struct Params { n: u32, by: f32 } @group(0) @binding(0) var<uniform> params: Params; const k: u32 = 1u; fn f() -> u32 { return params.n + k; }")
	one, two := &wgsl.Literal{Text: "5u"}, &wgsl.Literal{Text: "0.5f"}
	made, err := wgsl.Specialise(m, "f", map[string]wgsl.Expr{"k": one}, []wgsl.Expr{one, two})
	if err != nil {
		t.Fatal(err)
	}
	want := parsed(t, "struct Params { n: u32, by: f32 } const params = Params(5u, 0.5f); const k: u32 = 5u; fn f() -> u32 { return params.n + k; }").String()
	if made.String() != want {
		t.Errorf("got\n%s\nwant\n%s", made, want)
	}
	for want, try := range map[string]func() (*wgsl.Module, error){
		"no function g":      func() (*wgsl.Module, error) { return wgsl.Specialise(m, "g", nil, nil) },
		"no constant params": func() (*wgsl.Module, error) { return wgsl.Specialise(m, "f", map[string]wgsl.Expr{"params": one}, nil) },
		"1 params, want 2":   func() (*wgsl.Module, error) { return wgsl.Specialise(m, "f", nil, []wgsl.Expr{one}) },
	} {
		if _, err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
