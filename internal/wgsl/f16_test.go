package wgsl_test

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

const halfDecls = "@group(0) @binding(1) var<storage, read> x: array<f32>; @group(0) @binding(2) var<storage, read_write> y: array<f32>; @group(0) @binding(3) var<storage, read_write> y4: array<vec4<f32>>; @group(0) @binding(4) var<storage, read> at: array<u32>; @group(0) @binding(5) var<storage, read_write> z: array<vec2f>; fn next() -> u32 { return 1u; }"

// TestStoreF16 wants what is read and written converted, and locals left alone that are
// called like a binding.
func TestStoreF16(t *testing.T) {
	decls := "enable f16; " + strings.NewReplacer("array<f32>", "array<f16>", "vec4<f32>", "vec4<f16>", "vec2f", "vec2h").Replace(halfDecls)
	for text, want := range map[string]string{
		"y[i] = x[i];":                                 "y[i] = f16(f32(x[i]));",
		"y[i] += 2.0 * x[i + 1u];":                     "y[i] = f16(f32(y[i]) + 2.0 * f32(x[i + 1u]));",
		"y[i] -= a - b;":                               "y[i] = f16(f32(y[i]) - (a - b));",
		"y[u32(x[i])] = 1.0;":                          "y[u32(f32(x[i]))] = f16(1.0);",
		"y4[i] = y4[j] * x[i];":                        "y4[i] = vec4<f16>(vec4<f32>(y4[j]) * f32(x[i]));",
		"y4[i].x = y4[j].y;":                           "y4[i].x = f16(vec4<f32>(y4[j]).y);",
		"y4[i][k] *= 2.0;":                             "y4[i][k] = f16(vec4<f32>(y4[i])[k] * 2.0);",
		"z[i] = z[j].yx;":                              "z[i] = vec2h(vec2f(z[j]).yx);",
		"let v = x[at[i]];":                            "let v = f32(x[at[i]]);",
		"{ let x = q; a = x[i]; } a = x[i];":           "{ let x = q; a = x[i]; } a = f32(x[i]);",
		"var y = q; y[i] = 1.0; y[i] += x[i];":         "var y = q; y[i] = 1.0; y[i] += f32(x[i]);",
		"let x = x[i]; a = x;":                         "let x = f32(x[i]); a = x;",
		"a.x = s.y[i];":                                "a.x = s.y[i];",
		"for (var k = x[0]; k < x[1]; y[i] += 1.0) {}": "for (var k = f32(x[0]); k < f32(x[1]); y[i] = f16(f32(y[i]) + 1.0)) {}",
		"if x[i] > 0.0 { return; }":                    "if f32(x[i]) > 0.0 { return; }",
	} {
		m, err := wgsl.StoreF16(body(t, halfDecls, text), "x", "y", "y4", "z")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, want := m.String(), body(t, decls, want).String(); got != want {
			t.Errorf("%s\nbecomes\n%s\nwant\n%s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"y[i]++;":              "y is stepped",
		"a = arrayLength(&x);": "x is used other than by element",
		"let p = &y[i];":       "a pointer to y",
		"let p = &y4[i].x;":    "a pointer to y4",
		"g(&y);":               "y is used other than by element",
		"y[next()] += 1.0;":    "y is changed in place at an index that calls a function of the shader",
		"y4[i].x.x = 1.0;":     "y4 is used other than by element",
	} {
		_, err := wgsl.StoreF16(body(t, halfDecls, text), "x", "y", "y4")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "3:") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for name, want := range map[string]string{"w": "no binding w", "at": "binding at is array<u32>, want an array of f32"} {
		if _, err := wgsl.StoreF16(body(t, halfDecls, ""), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}
