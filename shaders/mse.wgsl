// mse: loss = mean of (x - wanted)^2.
// x, wanted, dx are (n), part is (ceil(n/chunk)): sums of a chunk each, dloss is (1).
// test: n=67, chunk=16

struct Params { n: u32, chunk: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> wanted: array<f32>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
@group(0) @binding(4) var<storage, read> dloss: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: ceil(n/chunk)
// trips: chunk
// flops: 3*n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let start = i * params.chunk;
    if start >= params.n { return; }
    var sum = 0.0;
    for (var k = start; k < min(start + params.chunk, params.n); k++) {
        let d = x[k] - wanted[k];
        sum += d * d;
    }
    part[i] = sum;
}

// invocations: n
// flops: 5*n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = 2.0 * (x[i] - wanted[i]) * (dloss[0] / f32(params.n));
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
