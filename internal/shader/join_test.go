package shader

import (
	"strings"
	"testing"
)

const scaleText = `// scale: y[i] = by x[i].
// x, y are (n)
struct Params { n: u32, by: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const n: u32 = 64u; // also the name of a field
var<private> kept: f32;
fn times(v: f32) -> f32 { return v * params.by; }
// invocations: n
@compute @workgroup_size(n)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * n + id.x;
    if i >= params.n { return; }
    kept = times(x[i]);
    y[i] = kept;
}
// invocations: 1
@compute @workgroup_size(1)
fn one() { y[0] = x[0]; }
// invocations: n
@compute @workgroup_size(32)
fn half(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = x[id.x]; }
// invocations: n
@compute @workgroup_size(n)
fn wide(@builtin(global_invocation_id) id: vec3<u32>, @builtin(subgroup_size) size: u32) { y[id.x] = f32(size); }
`

// TestJoin joins three parts and refuses others.
func TestJoin(t *testing.T) {
	s, err := Parse("scale", scaleText)
	if err != nil {
		t.Fatal(err)
	}
	part := func(entry string, groups uint32, bindings ...int) Part {
		e, _ := s.Entry(entry)
		text, err := s.Specialize(entry, nil, []string{"70u", "2f"})
		if err != nil {
			t.Fatal(err)
		}
		return Part{Shader: s, Entry: e, Text: text, Groups: [3]uint32{groups, 1, 1}, Bindings: bindings}
	}
	text, workgroups, block, err := Join([]Part{part("forward", 2, 0, 1), part("one", 1, 0, 2), part("forward", 3, 3, 4)})
	if err != nil || workgroups != 6 || block != 64 {
		t.Fatalf("%d workgroups of %d, %v", workgroups, block, err)
	}
	for part, n := range map[string]int{
		"@group(0) @binding(0) var<storage, read> joined_0: array<f32>;": 1, "@binding(4) var<storage, read_write> joined_4: array<f32>;": 1,
		"struct p0_Params { n: u32, by: f32 }": 1, "const p2_params = p2_Params(70u, 2f);": 1, "v * p2_params.by": 1,
		"p0_kept = p0_times(joined_0[i]);": 1, "i >= p2_params.n": 1, "id.y * groups.x * p0_n": 1, "joined_2[0] = joined_0[0]": 1,
		"(all.x >= 2u) & (all.x < 3u) & (lane == 0u)": 1, "(all.x >= 3u) & (all.x < 6u)": 1,
		"let w = all.x - 0u;": 1, "let w = all.x - 2u;": 1, "let w = all.x - 3u;": 1, "groups = vec3<u32>(3u, 1u, 1u);": 1,
		"wid = vec3<u32>(w % groups.x, w / groups.x % groups.y, w / (groups.x * groups.y));": 3, "@compute": 1, "fn join(": 1,
	} {
		if strings.Count(text, part) != n {
			t.Errorf("%q is there %d times, want %d, in\n%s", part, strings.Count(text, part), n, text)
		}
	}
	for _, wrong := range []string{"half", "wide"} {
		if _, _, _, err := Join([]Part{part("forward", 1, 0, 1), part(wrong, 1, 0, 2)}); err == nil || !strings.Contains(err.Error(), wrong+" cannot be a part") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
