// ceiling: z = x after 16*k steps of x = x f + g, element by element; y = sums of 16 elements of w.
// x, z are (8*m), w is (64*m), y is (4*m); y[i] is the sum of w[i + 4*m*j] for j below 16. f and g are 0 or more.
//
// They measure what an adapter does at most: products and additions in registers, and loads.
// test: m=67, k=2

struct Params { m: u32, k: u32, f: f32, g: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

const block: u32 = 64u;

// invocations: m
// trips: 17*k
// flops: 256*m*k
@compute @workgroup_size(block)
fn products(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.m { return; }
    var a = x[i];
    var b = x[i + params.m];
    for (var k = 0u; k < params.k; k++) {
        // unroll
        for (var j = 0u; j < 16u; j++) {
            a = a * params.f + params.g;
            b = b * params.f + params.g;
        }
    }
    z[i] = a;
    z[i + params.m] = b;
}

// invocations: m
// flops: 64*m
@compute @workgroup_size(block)
fn sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.m { return; }
    var sum = vec4<f32>();
    // unroll
    for (var j = 0u; j < 16u; j++) {
        sum += w[i + j * params.m];
    }
    y[i] = sum;
}
