// bias: y += b along dimension channels; db = sum of dy over the other dimensions, in parts and then in all.
// y, dy are (batch, channels, size), b, db are (channels), part, sums are (parts, channels), parts of rows (batch, size).
// test: batch=3, channels=5, size=7, parts=3, length=7

struct Params { batch: u32, channels: u32, size: u32, parts: u32, length: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> db: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: batch*channels*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch * params.channels * params.size { return; }
    var v = b[i / params.size % params.channels];
    if accumulate { v += y[i]; }
    y[i] = v;
}

// invocations: parts*channels
// trips: length
@compute @workgroup_size(block)
fn backward_parts(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.parts * params.channels { return; }
    let channel = i % params.channels;
    let first = i / params.channels * params.length;
    let last = min(first + params.length, params.batch * params.size);
    var sum = 0.0;
    for (var row = first; row < last; row++) {
        sum += dy[(row / params.size * params.channels + channel) * params.size + row % params.size];
    }
    part[i] = sum;
}

// invocations: channels
// trips: parts
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.channels { return; }
    var sum = 0.0;
    for (var j = 0u; j < params.parts; j++) { sum += sums[j * params.channels + i]; }
    if accumulate { sum += db[i]; }
    db[i] = sum;
}
