package wgsl_test

import (
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// TestPartial wants stores under conditions on what is loaded found, and no others.
func TestPartial(t *testing.T) {
	const decls = `fn put(i: u32, v: f32) { if v > 0.0 { y[i] = v; } }
fn within(i: u32, v: f32) { if i < params.n { y[i] = v; } }
fn sign(v: f32) -> f32 { if v > 0.0 { return 1.0; } return -1.0; }
fn positive(i: u32) -> bool { return loads(i) > 0.0; }
`
	for body, want := range map[string]bool{
		"if i >= params.n { return; } y[i] = x[i];":                                              false,
		"if i < params.n { y[i] = x[i]; }":                                                       false,
		"for (var j = 0u; j < params.n; j++) { if j % 2u == 0u { continue; } y[j] = x[j]; }":     false,
		"var v = x[i]; if v > 0.0 { v = 1.0; } y[i] = v;":                                        false,
		"y[i] = sign(x[i]);":                                                                     false,
		"var v = x[i]; loop { if v > 1.0 { break; } v += 1.0; } y[i] = v;":                       false,
		"within(i, x[i]);":                                                                       false,
		"if other { y[i] = x[i]; }":                                                              false,
		"if x[i] > 0.0 { return; } y[i] = 1.0;":                                                  true,
		"if i >= params.n || x[i] > 0.0 { return; } y[i] = 1.0;":                                 true,
		"if x[i] > 0.0 { y[i] = 1.0; }":                                                          true,
		"if x[i] > 0.0 { } else { y[i] = 1.0; }":                                                 true,
		"let v = x[i]; let c = v > 0.0; if c { y[i] = 1.0; }":                                    true,
		"var c = false; if x[i] > 0.0 { c = true; } if c { y[i] = 1.0; }":                        true,
		"var c = 0u; for (; c < 9u; c++) { if x[c] > 0.0 { break; } } if c < 9u { y[i] = 1.0; }": true,
		"if positive(i) { y[i] = 1.0; }":                                                         true,
		"if sign(x[i]) > 0.0 { y[i] = 1.0; }":                                                    true,
		"put(i, x[i]);":                                                                          true,
		"put(i, 1.0);":                                                                           false,
		"if x[i] > 0.0 { within(i, 1.0); }":                                                      true,
		"switch table[i] { case 1u { y[i] = 1.0; } default { } }":                                true,
		"for (var j = 0u; j < table[0]; j++) { y[j] = 1.0; }":                                    true,
		"loop { if x[i] > 0.0 { break; } y[i] = 1.0; }":                                          true,
		"seed = x[i]; if seed > 0.0 { y[i] = 1.0; }":                                             true,
	} {
		m := parsed(t, eachHead+decls+"@compute @workgroup_size(block) fn f(@builtin(global_invocation_id) id: vec3<u32>) { let i = id.x; "+body+" }")
		if got := wgsl.Partial(m, "f"); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}
