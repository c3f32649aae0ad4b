package shader

import (
	"strings"
	"testing"
)

func TestStoreF16(t *testing.T) {
	const head = `// twice: y = x.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> at: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> z: array<f32>;
`
	for _, c := range []struct{ code, want string }{
		{"let a = x[i];", "let a = f32(x[i]);"},
		{"let a = z[i] + id.x + p.y[0];", "let a = z[i] + id.x + p.y[0];"},
		{"let a = x[at[i] + u32(x[at[0]])].x;", "let a = f32(x[at[i] + u32(f32(x[at[0]]))]).x;"},
		{"let a = y[i].xz * y[i][j];", "let a = vec4<f32>(y[i]).xz * vec4<f32>(y[i])[j];"},
		{"if c { y[i] = v; }", "if c { y[i] = vec4<f16>(v); }"},
		{"y[i]=v;", "y[i] = vec4<f16>(v);"},
		{"y[i].x = x[i]; // x[i]", "y[i].x = f16(f32(x[i]));"},
		{"// y[i]\n    y[i][at[k]] = 1.0;", "y[i][at[k]] = f16(1.0);"},
		{"x[u32(x[i])] += v * 2.0;", "x[u32(f32(x[i]))] = f16(f32(x[u32(f32(x[i]))]) + v * 2.0);"},
		{"y[i].y -= v;", "y[i].y = f16(vec4<f32>(y[i]).y - v);"},
		{"let same = x[i] == x[j] && x[k] > 0.0;", "let same = f32(x[i]) == f32(x[j]) && f32(x[k]) > 0.0;"},
		{"struct P { x: f32 }\nfn f(x: f32, z: f32) -> f32 { return x + y[0].x; }\nfn g() -> f32 { return x[0]; }", "struct P { x: f32 }\nfn f(x: f32, z: f32) -> f32 { return x + vec4<f32>(y[0]).x; }\nfn g() -> f32 { return f32(x[0]); }"},
		{"let xy = yx + y0;", "let xy = yx + y0;"},
		{"x[i] -= v + w;", "x[i] = f16(f32(x[i]) - (v + w));"},
		{"{ let x = z[i]; v = x; } v += x[i];", "{ let x = z[i]; v = x; } v += f32(x[i]);"},
	} {
		inside := func(code string) string {
			if strings.Contains(code, "fn ") {
				return code
			}
			return "fn main() { " + code + "\n}"
		}
		got, err := StoreF16(head+inside(c.code), "x", "y")
		_, code, _ := strings.Cut(got, "z: array<f32>;\n")
		if want := inside(c.want); err != nil || strings.Join(strings.Fields(code), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%q: got %q, %v, want %q", c.code, code, err, want)
		}
		for _, line := range []string{"enable f16;\n@group", "x: array<f16>;", "y: array<vec4<f16>>;"} {
			if !strings.Contains(got, line) {
				t.Errorf("%q: no %q in %q", c.code, line, got)
			}
		}
	}
	for _, c := range []struct{ code, name, want string }{
		{"", "w", "no binding w"},
		{"", "at", "binding at is array<u32>"},
		{"fn f() { let p = &x[i]; }", "x", "6:18: a pointer to x"},
		{"fn f() { let n = arrayLength(&x); }", "x", "6:30: x is used other than by element"},
		{"fn g() -> u32 { return 0u; }\nfn f() { x[g()] += 1.0; }", "x", "calls a function"},
		{"fn f() { let a = x[i; }", "x", "6:21: got \";\", want \"]\""},
		{"fn f() { x[i] = 1.0 }", "x", "6:21: got \"}\", want \";\""},
	} {
		if _, err := StoreF16(head+c.code, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %s: got %v, want an error with %q", c.code, c.name, err, c.want)
		}
	}
	if got, err := StoreF16(head); got != strings.TrimPrefix(head, "// twice: y = x.\n") || err != nil {
		t.Errorf("of no names: %q, %v", got, err)
	}
}
