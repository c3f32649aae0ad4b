package conform_test

import (
	"testing"
	"testing/fstest"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// A kernel of one's own: the shader, the definition in float64, and how many terms
// each sum has. The test below is all it takes.
var blur = compute.NewKernelFS(fstest.MapFS{"blur.wgsl": {Data: []byte(`// blur: y[i] = (x[i-1] + x[i] + x[i+1]) / 4, at the ends of a row of fewer.
// x, y are (n).
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// invocations: n
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * 64u + id.x; // long grids are folded into y
    if i >= params.n { return; }
    var sum = 0.0;
    for (var k = max(i, 1u) - 1u; k < min(i + 2u, params.n); k++) { sum += x[k] * 0.25; }
    y[i] = sum;
}`)}}, "blur.forward", func(p struct{ N uint32 }, b [][]float64) {
	for i := range b[0] {
		b[1][i] = 0
		for k := max(i-1, 0); k < min(i+2, len(b[0])); k++ {
			b[1][i] += b[0][k] * 0.25
		}
	}
}, compute.Dot(3))

func TestBlur(t *testing.T) { conform.Test(t, devicetest.Open(t), blur) }
