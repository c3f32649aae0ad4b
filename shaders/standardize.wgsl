// standardize: y = (x - mean[c]) / deviation[c], c the channel.
// x, y, dx, dy are (batch, channels, size), mean, deviation are (channels).
// test: batch=2, channels=3, size=23

struct Params { batch: u32, channels: u32, size: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> deviation: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: batch*channels*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch * params.channels * params.size { return; }
    let c = i / params.size % params.channels;
    y[i] = (x[i] - mean[c]) / deviation[c];
}

// invocations: batch*channels*size
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch * params.channels * params.size { return; }
    var d = dy[i] / deviation[i / params.size % params.channels];
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
