// accumulate: dw = 0 after an update; before it, the gradient of each of several losses starts at scale * share.
// dw is (n), scale, start are (1).

struct Params { n: u32, share: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> dw: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> start: array<f32>;

const block: u32 = 64u;

// each: n
// invocations: n
@compute @workgroup_size(block)
fn clear(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    dw[i] = 0.0;
}

// invocations: 1
@compute @workgroup_size(1)
fn seed() {
    start[0] = scale[0] * params.share;
}
