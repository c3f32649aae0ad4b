package wgsl_test

import (
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

const dropDecls = "const N = 2u; const yes = true; const no: bool = false; const half = 0.5; const K: i32 = -3; struct Params { n: u32, f: f32, k: i32, } const params = Params(3u, 3f, i32(-1)); fn min(a: u32, b: u32) -> u32 { return a; }"

// TestDrop wants the branches that constant conditions leave, and what it does not know
// left alone.
func TestDrop(t *testing.T) {
	for text, want := range map[string]string{
		"if yes { a = 1; }":                "{ a = 1; }",
		"if no { a = 1; }":                 "",
		"if no { a = 1; } else { a = 2; }": "{ a = 2; }",
		"if no { a = 1; } else if yes { a = 2; } else { a = 3; }":       "{ a = 2; }",
		"if no { a = 1; } else if x { a = 2; } else { a = 3; }":         "if x { a = 2; } else { a = 3; }",
		"if x { a = 1; } else if no { a = 2; } else { a = 3; }":         "if x { a = 1; } else { a = 3; }",
		"if x { a = 1; } else if no { a = 2; }":                         "if x { a = 1; }",
		"if x { a = 1; } else if yes { a = 2; } else { a = 3; }":        "if x { a = 1; } else { a = 2; }",
		"if x { a = 1; } else if y { a = 2; } else if no { a = 3; }":    "if x { a = 1; } else if y { a = 2; }",
		"if x { if yes { a = 1; } }":                                    "if x { { a = 1; } }",
		"if yes { return; } a = 1;":                                     "{ return; }",
		"a = 1; if yes { if yes { return; } a = 2; } a = 3;":            "a = 1; { { return; } }",
		"if x { if yes { return; } a = 1; } a = 2;":                     "if x { { return; } } a = 2;",
		"for (;;) { if yes { return; } a = 1; }":                        "for (;;) { { return; } }",
		"switch x { case 1 { if yes { return; } a = 1; } default { } }": "switch x { case 1 { { return; } } default { } }",
		"loop { if yes { break; } a = 1; }":                             "loop { { break; } a = 1; }",
		"if x { return; } a = 1;":                                       "if x { return; } a = 1;",
		"if N == 2u && params.n > 2u { a = 1; }":                        "{ a = 1; }",
		"if params.k < 0 && K * 2 == -6 { a = 1; }":                     "{ a = 1; }",
		"if (N - 1u) * 4u >> 1u == 2u || no { a = 1; }":                 "if (N - 1u) * 4u >> 1u == 2u || no { a = 1; }", // no grammar
		"if u32(max(-K, 2)) == 3u { a = 1; }":                           "{ a = 1; }",
		"if select(1u, 2u, yes) == 2u { a = 1; }":                       "{ a = 1; }",
		"if 7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1 { a = 1; }":      "{ a = 1; }",
		"if yes != no { a = 1; }":                                       "{ a = 1; }",
		"if !no { a = 1; }":                                             "{ a = 1; }",
		"if 0x10 == 16 { a = 1; }":                                      "{ a = 1; }",
	} {
		if _, err := wgsl.ParseStatements(text); err != nil {
			continue
		}
		passed(t, wgsl.Drop, dropDecls, text, want)
	}
	for _, text := range []string{
		"if N - 3u > 1u { a = 1; }",                     // it wraps
		"if N * 4294967295u > 1u { a = 1; }",            // so does that
		"if 2147483647i + 1i > 0i { a = 1; }",           // and that
		"if (0x1000000000000000 << 8u) == 0 { a = 1; }", // and that
		"if N / 0u == 1u { a = 1; }", "if N % 0u == 1u { a = 1; }", "if u32(K) > 1u { a = 1; }", "if i32(4294967295u) < 0 { a = 1; }",
		"if (1u << 32u) == 1u { a = 1; }", "if ~N > 1u { a = 1; }",
		"if half > 0.0 { a = 1; }", "if params.f == 3 { a = 1; }", "if 1.5 > 1 { a = 1; }", "if 1e3 > 1 { a = 1; }",
		"if min(4u, 3u) == 3u { a = 1; }",                  // which is one of the module's own
		"if N == 2i { a = 1; }",                            // no WGSL
		"{ let no = x; if no { a = 1; } }",                 // another no
		"{ var params = q; if params.n == 3u { a = 1; } }", // another params
		"{ const N = 5u; if N == 2u { a = 1; } }", "for (var N = 0u; N < 2u; N++) { if N == 2u { a = 1; } }",
		"if other { a = 1; }", "if yes && x { a = 1; }", "if a[N] > 1 { a = 1; }",
	} {
		passed(t, wgsl.Drop, dropDecls, text, text)
	}
	// the name is another one only where it is declared
	passed(t, wgsl.Drop, dropDecls, "if no { a = 1; } { let no = x; } if no { a = 2; } let no = y; if no { a = 3; }", "{ let no = x; } let no = y; if no { a = 3; }")
}

// TestConstants wants constants that lead in a circle, or a long way, to end.
func TestConstants(t *testing.T) {
	m := body(t, "const a = b + 1u; const b = a + 1u; const c: f32 = 1; const d: u32 = -1; const e: i32 = 3u;", "if a > 1u { x = 1; } if c > 0 { x = 2; } if d > 0u { x = 3; } if e > 0 { x = 4; }")
	if got, want := wgsl.Drop(m).String(), m.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
