// embedding: y[i] = weight[indices[i]], rows of size elements.
// indices are (n), y, dy are (n, size), weight, dweight are (rows, size); an index beyond the rows counts as the last one.
// The backward entry points take a block of positions, first ... first + length: head, heads are (rows), the first position
// of each row, next, nexts are (length), the next position of the same row; both count from first, and length stands for none.
// test: n=9, size=5, rows=7, first=0, length=9

struct Params { n: u32, size: u32, rows: u32, first: u32, length: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> head: array<u32>;
@group(0) @binding(5) var<storage, read_write> next: array<u32>;
@group(0) @binding(6) var<storage, read> heads: array<u32>;
@group(0) @binding(7) var<storage, read> nexts: array<u32>;
@group(0) @binding(8) var<storage, read> dy: array<f32>;
@group(0) @binding(9) var<storage, read_write> dweight: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

fn row_of(i: u32) -> u32 {
    return min(indices[i], params.rows - 1u);
}

// invocations: n*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n * params.size { return; }
    y[i] = weight[row_of(i / params.size) * params.size + i % params.size];
}

// invocations: rows
@compute @workgroup_size(block)
fn reset(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows { return; }
    head[i] = params.length;
}

// link looks for the same row at later positions, and at earlier ones, of which the first position has none.
// invocations: length
// trips: length
@compute @workgroup_size(block)
fn link(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.length { return; }
    let row = row_of(params.first + i);
    var later = i + 1u;
    while later < params.length && row_of(params.first + later) != row { later++; }
    next[i] = later;
    var earlier = i;
    while earlier > 0u && row_of(params.first + earlier - 1u) != row { earlier--; }
    if earlier == 0u { head[row] = i; }
}

// backward follows the positions of a row in their order.
// invocations: rows*size
// trips: length
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.size { return; }
    var d = 0.0;
    var at = heads[i / params.size];
    for (var k = 0u; k < params.length && at < params.length; k++) {
        d += dy[(params.first + at) * params.size + i % params.size];
        at = nexts[at];
    }
    if accumulate { d += dweight[i]; }
    dweight[i] = d;
}
