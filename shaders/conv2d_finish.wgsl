// conv2d_finish: y[n,k,i] = max(y[n,k,i] + b[k] + z[n,k,i], 0): what is left of a convolution and its ReLU when the sums are done.
// z, y are (n, k, size), bias is (k).
// test: n=2, k=5, size=9, biased=1

struct Params { n: u32, k: u32, size: u32, biased: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: n*k*size
@compute @workgroup_size(block)
fn rectified(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n * params.k * params.size { return; }
    var v = z[i];
    if params.biased != 0u { v += bias[i / params.size % params.k]; }
    if accumulate { v += y[i]; }
    y[i] = select(0.0, v, v > 0.0);
}
