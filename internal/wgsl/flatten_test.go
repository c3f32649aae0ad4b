package wgsl_test

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// TestFlatten wants braces off, names apart, and what they mean the same.
func TestFlatten(t *testing.T) {
	for text, want := range map[string]string{
		"{ a = 1; } { b = 2; }":                                         "a = 1; b = 2;",
		"let v = 1; { let v = 2; a = v; } a = v;":                       "let v = 1; let v_0 = 2; a = v_0; a = v;",
		"let v = 1; { let w = v; let v = w + v; a = v; } a = v;":        "let v = 1; let w_0 = v; let v_0 = w_0 + v; a = v_0; a = v;",
		"{ let v = v; a = v; }":                                         "let v_0 = v; a = v_0;", // the module's
		"{ a = v; let v = 2; a = v; }":                                  "a = v; let v_0 = 2; a = v_0;",
		"let v = 1; { { let v = 2; a = v; } let v = 3; a = v; }":        "let v = 1; let v_1 = 2; a = v_1; let v_0 = 3; a = v_0;",
		"{ let b = v_0; let v = 2; a = v; }":                            "let b_1 = v_0; let v_1 = 2; a = v_1;",
		"{ let v = 1; if x { let v = 2; a = v; } a = v; }":              "let v_0 = 1; if x { let v_0 = 2; a = v_0; } a = v_0;",
		"{ for (var v = 0; v < 2; v++) { a = v; } a = v; }":             "for (var v_0 = 0; v_0 < 2; v_0++) { a = v_0; } a = v;",
		"{ let v = 1; a.v = s.v + v; }":                                 "let v_0 = 1; a.v = s.v + v_0;",
		"if x { { let v = 1; a = v; } { let v = 2; a = v; } }":          "if x { let v_0 = 1; a = v_0; let v_1 = 2; a = v_1; }",
		"if x { } else { { a = 1; } }":                                  "if x {} else { a = 1; }",
		"loop { { a = 1; } continuing { { b = 1; } break if b > 1; } }": "loop { a = 1; continuing { b = 1; break if b > 1; } }",
		"{ a = 1; return; }":                                            "a = 1; return;",
		"{ { a = 1; return; } }":                                        "a = 1; return;",
		"{ }":                                                           "",
	} {
		passed(t, wgsl.Flatten, "const v = 7; "+map[bool]string{true: "const v_0 = 8;"}[strings.Contains(text, "v_0")], text, want)
	}
	for text, want := range map[string]string{ // nothing stands behind what leaves
		"for (;;) { { a = 1; break; } b = 1; }":        "for (;;) { { a = 1; break; } b = 1; }",
		"{ return; } a = 1;":                           "{ return; } a = 1;",
		"for (;;) { { { break; } } a = 1; }":           "for (;;) { { break; } a = 1; }",
		"for (;;) { { a = 1; { continue; } } a = 1; }": "for (;;) { { a = 1; continue; } a = 1; }",
	} {
		passed(t, wgsl.Flatten, "", text, want)
	}
}
