package wgsl_test

import (
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/internal/wgsl"
)

// TestShrink makes private arrays shorter that constants index, and no others.
func TestShrink(t *testing.T) {
	m, err := wgsl.Parse(`const n = 3u;
var<private> short: array<vec4<f32>, 64>;
var<private> exact: array<f32, 4>;
var<private> looked: array<f32, 64>;
var<private> copied: array<f32, 64>;
var<private> hidden: array<f32, 64>;
var<workgroup> shared_: array<f32, 64>;
fn f(i: u32) {
    short[n].x = short[1u][i];
    exact[n] = 1.0;
    looked[i] = looked[0];
    let all = copied;
    shared_[0] = all[2];
    let hidden = all;
    let v = hidden[9];
}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := wgsl.Shrink(m).String()
	for _, want := range []string{
		"short: array<vec4<f32>, 4>;", "exact: array<f32, 4>;", "looked: array<f32, 64>;", "copied: array<f32, 64>;", "hidden: array<f32, 1>;", "shared_: array<f32, 64>;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
