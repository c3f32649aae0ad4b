// concat: y[outer, first + k] = x[outer, k], one input's part of the result.
// x, dx are (outer, width), y, dy are (outer, total): the joined axis and all
// after it are one.
// test: outer=5, width=7, first=3, total=17

struct Params { outer: u32, width: u32, first: u32, total: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// place is where element i of x stands in y.
fn place(i: u32) -> u32 {
    return i / params.width * params.total + params.first + i % params.width;
}

// invocations: outer*width
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.outer * params.width { return; }
    y[place(i)] = x[i];
}

// invocations: outer*width
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.outer * params.width { return; }
    var d = dy[place(i)];
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
