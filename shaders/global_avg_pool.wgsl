// global_avg_pool: y = the sum of each row of x / count.
// x is (rows, terms), y, dy are (rows), dx is (rows, count); terms is count, or
// less where x holds partial sums.
// test: rows=5, terms=7, count=7

struct Params { rows: u32, terms: u32, count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: rows
// trips: terms
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows { return; }
    var sum = 0.0;
    for (var k = 0u; k < params.terms; k++) {
        sum += x[i * params.terms + k];
    }
    y[i] = sum / f32(params.count);
}

// invocations: rows*count
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.count { return; }
    var d = dy[i / params.count] / f32(params.count);
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
