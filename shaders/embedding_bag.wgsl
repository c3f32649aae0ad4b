// embedding_bag: y[r] = mean of x[r, i] over the i with indices[r, i] != padding, 0 where there is none.
// indices are (rows, length), x, dx are (rows, length, size), y, dy are (rows, size), counts, count are (rows).
// An index beyond the vectors of the table counts as the last one.
// test: rows=5, length=7, size=3, padding=0, vectors=7

struct Params { rows: u32, length: u32, size: u32, padding: u32, vectors: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> count: array<f32>;
@group(0) @binding(5) var<storage, read> counts: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

fn is_token(i: u32) -> bool {
    return min(indices[i], params.vectors - 1u) != params.padding;
}

// tally counts the indices of a row that are no padding, and 1 where all are.
// invocations: rows
// trips: length
@compute @workgroup_size(block)
fn tally(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let r = id.y * groups.x * block + id.x;
    if r >= params.rows { return; }
    var n = 0u;
    for (var i = 0u; i < params.length; i++) { n += select(0u, 1u, is_token(r * params.length + i)); }
    count[r] = f32(max(n, 1u));
}

// invocations: rows*size
// trips: length
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * block + id.x;
    if at >= params.rows * params.size { return; }
    let r = at / params.size;
    var sum = 0.0;
    for (var i = 0u; i < params.length; i++) {
        if is_token(r * params.length + i) { sum += x[(r * params.length + i) * params.size + at % params.size]; }
    }
    y[at] = sum / counts[r];
}

// invocations: rows*length*size
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * block + id.x;
    if at >= params.rows * params.length * params.size { return; }
    let position = at / params.size;
    let r = position / params.length;
    var d = 0.0;
    if is_token(position) { d = dy[r * params.size + at % params.size] / counts[r]; }
    if accumulate { d += dx[at]; }
    dx[at] = d;
}
