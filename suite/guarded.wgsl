// guarded: y = 2 x where x > 0.
// x, y are (n)

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n || x[i] <= 0.0 { return; }
    y[i] = 2.0 * x[i];
}

// invocations: n
@compute @workgroup_size(block)
fn inside(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i < params.n && x[i] > 0.0 { y[i] = 2.0 * x[i]; }
}
