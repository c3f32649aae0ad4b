// mean: y[g] = (sum over k of x[g, k]) / count.
// x is (groups, terms), y is (groups). The terms may be sums themselves, of count elements in all.
// test: groups=5, terms=7, count=7

struct Params { groups: u32, terms: u32, count: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;

// invocations: groups
// trips: terms
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.groups { return; }
    var sum = 0.0;
    for (var k = 0u; k < params.terms; k++) { sum += x[i * params.terms + k]; }
    y[i] = sum / params.count;
}
