// softmax: y = exp(x - max) / sum of exp(x - max) over the rows of x.
// x, y, result, dy, dx are (rows, size); part, parts are (rows, chunks, 2): the maximum of a chunk and the sum of exp(x - maximum);
// whole, wholes are (rows, 2): the same of a row; products is (rows, chunks), slope is (rows): the sum of y * dy.
// test: rows=3, size=37, chunk=16, chunks=3

struct Params { rows: u32, size: u32, chunk: u32, chunks: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> part: array<f32>;
@group(0) @binding(3) var<storage, read> parts: array<f32>;
@group(0) @binding(4) var<storage, read_write> whole: array<f32>;
@group(0) @binding(5) var<storage, read> wholes: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<storage, read> result: array<f32>;
@group(0) @binding(8) var<storage, read> dy: array<f32>;
@group(0) @binding(9) var<storage, read_write> products: array<f32>;
@group(0) @binding(10) var<storage, read> slope: array<f32>;
@group(0) @binding(11) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: rows*chunks
// trips: 2*chunk
// flops: 3*rows*size
@compute @workgroup_size(block)
fn gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.chunks { return; }
    let row = i / params.chunks;
    let start = row * params.size + i % params.chunks * params.chunk;
    let stop = min(start + params.chunk, (row + 1u) * params.size);
    var most = x[start];
    for (var k = start + 1u; k < stop; k++) { most = max(most, x[k]); }
    var sum = 0.0;
    for (var k = start; k < stop; k++) { sum += exp(x[k] - most); }
    part[2u * i] = most;
    part[2u * i + 1u] = sum;
}

// invocations: rows
// trips: 2*chunks
@compute @workgroup_size(block)
fn join(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.y * groups.x * block + id.x;
    if row >= params.rows { return; }
    let start = row * params.chunks;
    let stop = start + params.chunks;
    var most = parts[2u * start];
    for (var k = start + 1u; k < stop; k++) { most = max(most, parts[2u * k]); }
    var sum = 0.0;
    for (var k = start; k < stop; k++) { sum += parts[2u * k + 1u] * exp(parts[2u * k] - most); }
    whole[2u * row] = most;
    whole[2u * row + 1u] = sum;
}

// invocations: rows*size
// flops: 3*rows*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    let row = i / params.size;
    y[i] = exp(x[i] - wholes[2u * row]) / wholes[2u * row + 1u];
}

// invocations: rows*chunks
// trips: chunk
// flops: 2*rows*size
@compute @workgroup_size(block)
fn backward_gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.chunks { return; }
    let row = i / params.chunks;
    let start = row * params.size + i % params.chunks * params.chunk;
    let stop = min(start + params.chunk, (row + 1u) * params.size);
    var sum = 0.0;
    for (var k = start; k < stop; k++) { sum += result[k] * dy[k]; }
    products[i] = sum;
}

// invocations: rows*size
// flops: 3*rows*size
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    var d = result[i] * (dy[i] - slope[i / params.size]);
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
