// log_softmax: y = x - max - log(sum of exp(x - max)) over the rows of x.
// x, y, result, dy, dx are (rows, size); whole is (rows, 2): the maximum and the sum; slope is (rows): the sum of dy.
// test: rows=3, size=67

struct Params { rows: u32, size: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> whole: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> result: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> slope: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: rows*size
// flops: 3*rows*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    let row = i / params.size;
    y[i] = (x[i] - whole[2u * row]) - log(whole[2u * row + 1u]);
}

// invocations: rows*size
// flops: 4*rows*size
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    var d = dy[i] - exp(result[i]) * slope[i / params.size];
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
