package wgsl_test

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// body is the text of a module of declarations and a function f of some statements, as
// String writes it.
func body(t *testing.T, decls, statements string) *wgsl.Module {
	t.Helper()
	m, err := wgsl.Parse(decls + "\nfn f() {\n" + statements + "\n}\n")
	if err != nil {
		t.Fatalf("%v in\n%s", err, statements)
	}
	return m
}

// passed wants what a pass makes of the statements of a function.
func passed(t *testing.T, pass func(*wgsl.Module) *wgsl.Module, decls, statements, want string) {
	t.Helper()
	m := body(t, decls, statements)
	before := m.String()
	if got, want := pass(m).String(), body(t, decls, want).String(); got != want {
		t.Errorf("%s\nbecomes\n%s\nwant\n%s", statements, got, want)
	}
	if m.String() != before {
		t.Errorf("%s\nthe pass has changed its argument: %s", statements, m)
	}
}

// TestUnroll wants the turns of marked loops, and other loops as they are.
func TestUnroll(t *testing.T) {
	pass := func(m *wgsl.Module) *wgsl.Module {
		made, err := wgsl.Unroll(m)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	const decls = "const N = 2u; struct Params { n: u32 } const params = Params(3u); const M: i32 = 2; var<private> g: u32;"
	stays := func(text string) { // without the mark
		t.Helper()
		passed(t, pass, decls, text, strings.ReplaceAll(text, "// unroll\n", ""))
	}
	for text, want := range map[string]string{
		"for (var i = 0u; i < N; i++) { a[i] = i; }":                                               "{ a[0u] = 0u; } { a[1u] = 1u; }",
		"for (var i = 0; i < 2; i++) { a[i + 1] = f32(i); }":                                       "{ a[1u] = f32(0i); } { a[2u] = f32(1i); }",
		"for (var i: u32 = 0; i < 2; i++) { a[i] = i; }":                                           "{ a[0u] = 0u; } { a[1u] = 1u; }",
		"for (var i = 1u; i <= N; i += 1u) { x = i; }":                                             "{ x = 1u; } { x = 2u; }",
		"for (var i = 1u; i < 6u; i += 2u) { x = i; }":                                             "{ x = 1u; } { x = 3u; } { x = 5u; }",
		"for (var i = 3u; i < 8u; i = i + 4u) { x = i; }":                                          "{ x = 3u; } { x = 7u; }",
		"for (var i = -M; i < 0; i++) { x = i - 1 + -i; }":                                         "{ x = i32(-2) - 1 + -i32(-2); } { x = i32(-1) - 1 + -i32(-1); }",
		"for (var i = 2u; i < N; i++) { x = i; }":                                                  "",
		"for (var i = 0u; i < params.n - 1u; i++) { x = i; }":                                      "{ x = 0u; } { x = 1u; }",
		"for (var i = 0u; i < N; i++) { let i = 5u; x = i; }":                                      "{ let i = 5u; x = i; } { let i = 5u; x = i; }",
		"for (var i = 0u; i < N; i++) { { let i = i; x = i; } y = i; }":                            "{ { let i = 0u; x = i; } y = 0u; } { { let i = 1u; x = i; } y = 1u; }",
		"for (var i = 0u; i < N; i++) { var i = i; i += 1u; }":                                     "{ var i = 0u; i += 1u; } { var i = 1u; i += 1u; }",
		"for (var i = 0u; i < N; i++) { x = s.i; }":                                                "{ x = s.i; } { x = s.i; }",
		"for (var i = 0u; i < N; i++) { for (;;) { if i > x { break; } } }":                        "{ for (;;) { if 0u > x { break; } } } { for (;;) { if 1u > x { break; } } }",
		"for (var i = 0u; i < N; i++) { loop { continue; } }":                                      "{ loop { continue; } } { loop { continue; } }",
		"for (var i = 0u; i < N; i++) { while x < i { break; } }":                                  "{ while x < 0u { break; } } { while x < 1u { break; } }",
		"for (var i = 0u; i < N; i++) { switch x { case 1u { break; } default { } } }":             "{ switch x { case 1u { break; } default { } } } { switch x { case 1u { break; } default { } } }",
		"for (var i = 0u; i < N; i++) {\n// unroll\nfor (var j = i; j < N; j++) { x += i * j; } }": "{ { x += 0u * 0u; } { x += 0u * 1u; } } { { x += 1u * 1u; } }",
	} {
		if strings.Contains(text, "var j = i") {
			continue // an inner loop is expanded first, and does not start at a constant
		}
		passed(t, pass, decls, "// unroll\n"+text, want)
	}
	passed(t, pass, decls, "// unroll\nfor (var i = 0u; i < N; i++) {\n// unroll\nfor (var j = 0u; j < N; j++) { a[i * N + j] = 0.0; } }",
		"{ { a[0u] = 0.0; } { a[1u] = 0.0; } } { { a[2u] = 0.0; } { a[3u] = 0.0; } }")
	for _, text := range []string{
		"for (var i = 0u; i < N; i++) { if x > i { break; } }",
		"for (var i = 0u; i < N; i++) { if x > i { } else { continue; } }",
		"for (var i = 0u; i < N; i++) { { { break; } } }",
		"for (var i = 0u; i < N; i++) { switch x { case 1u { continue; } default { } } }",
		"for (var i = 0u; i < N; i++) { i += 1u; }",
		"for (var i = 0u; i < N; i++) { if x > 1u { i++; } }",
		"for (var i = 0u; i < N; i++) { let p = &i; *p = 3u; }",
		"for (var i = 0u; i < N; i++) { for (var j = 0u; j < N; i++) { j++; } }",
		"for (var i = 0u; i < N; i++) { loop { break; continuing { i++; } } }",
	} {
		stays("// unroll\n" + text)
	}
	// params that are not baked in
	open := "struct Params { n: u32 } @group(0) @binding(0) var<uniform> params: Params;"
	passed(t, pass, open, "// unroll\nfor (var i = 0u; i < params.n; i++) { x = i; }", "for (var i = 0u; i < params.n; i++) { x = i; }")
	// what is not marked
	stays("for (var i = 0u; i < N; i++) { x = i; }")
}

// TestUnrollErrors wants the place of marked loops that count in another way.
func TestUnrollErrors(t *testing.T) {
	for text, want := range map[string]string{
		"for (var i = x; i < 2u; i++) {}":      "starts at x",
		"for (var i = 0u; i < x; i++) {}":      "runs to x",
		"for (var i = 0u; i > 2u; i++) {}":     "does not test it",
		"for (var i = 0u; 2u > i; i++) {}":     "does not test it",
		"for (var i = 2u; i < 5u; i--) {}":     "does not step by a constant",
		"for (var i = 2u; i < 5u; i += 0u) {}": "does not step by a constant",
		"for (var i = 2u; i < 5u; i *= 2u) {}": "does not step by a constant",
		"for (var i = 2u; i < 5u; j++) {}":     "does not step by a constant",
		"for (var i = 0u; i < 4000u; i++) {\n// unroll\nfor (var j = 0u; j < 4000u; j++) { x += 1u; } }": "expressions and statements long when expanded",
		"for (var i = 0u; i < 5000u; i++) {}":                              "5000 turns, at most 4096",
		"for (var i = 0.0; i < 5.0; i++) {}":                               "starts at 0.0",
		"for (var i: f32 = 0; i < 5; i++) {}":                              "counts f32",
		"for (i = 0u; i < 5u; i++) {}":                                     "no variable of its own",
		"for (;;) {}":                                                      "no variable of its own",
		"for (var i = 0u; i < K; i++) {}":                                  "runs to K",
		"{ let N = x; \n// unroll\nfor (var i = 0u; i < N; i++) {} }":      "runs to N",
		"for (var i = 0u; i < min(4u, 3u); i++) {}":                        "runs to min(4u, 3u)",
		"for (var i = 0u; i < N - 3u; i++) {}":                             "runs to N - 3u", // which wraps
		"for (var i = 4294967290u; i < 4294967295u; i += 4294967295u) { }": "",
		"for (var i = 0u; i <= 4294967295u; i += 4294967295u) { }":         "",
		"for (var i = 4294967294u; i <= 4294967295u; i += 4u) { }":         "",
		"for (var i = 2147483646; i <= 2147483647; i += 1) { }":            "",
	} {
		mark := "// unroll\n"
		if strings.HasPrefix(text, "{") {
			mark = ""
		}
		_, err := wgsl.Unroll(body(t, "const N = 2u; const K = 2.5; fn min(a: u32, b: u32) -> u32 { return a; }", mark+text))
		if want == "" && err == nil {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "4:") && mark != "" {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
