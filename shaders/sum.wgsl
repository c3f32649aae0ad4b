// sum: y = the sum of x over some of its axes, a chunk of them at a time.
// x has kept axes (k0, k1, k2) and summed axes (r0, r1, r2), in any order, with
// strides s0, s1, s2 and q0, q1, q2; y is (k0*k1*k2, ceil(r0*r1*r2/chunk)); z is (k0*k1*k2).
// Without gaps x is (k0*k1*k2*r0*r1*r2).
// test: k0=1, k1=2, k2=3, s0=0, s1=33, s2=1, r0=1, r1=1, r2=11, q0=0, q1=0, q2=3, chunk=16

struct Params {
    k0: u32, k1: u32, k2: u32, s0: u32, s1: u32, s2: u32,
    r0: u32, r1: u32, r2: u32, q0: u32, q1: u32, q2: u32,
    chunk: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// total adds the terms of one chunk in the order of their index.
fn total(i: u32) -> f32 {
    let terms = params.r0 * params.r1 * params.r2;
    let chunks = (terms + params.chunk - 1u) / params.chunk;
    var rest = i / chunks;
    var base = (rest % params.k2) * params.s2;
    rest /= params.k2;
    base += (rest % params.k1) * params.s1 + (rest / params.k1) * params.s0;
    let start = (i % chunks) * params.chunk;
    let stop = min(start + params.chunk, terms);
    var sum = 0.0;
    for (var k = start; k < stop; k++) {
        let outer = k / params.r2;
        sum += x[base + (outer / params.r1) * params.q0 + (outer % params.r1) * params.q1 + (k % params.r2) * params.q2];
    }
    return sum;
}

// invocations: k0*k1*k2*ceil((r0*r1*r2)/chunk)
// trips: chunk
@compute @workgroup_size(block)
fn partial(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.k0 * params.k1 * params.k2 * ((params.r0 * params.r1 * params.r2 + params.chunk - 1u) / params.chunk) { return; }
    y[i] = total(i);
}

// add: z += the sum, where one chunk holds all terms.
// invocations: k0*k1*k2
// trips: chunk
@compute @workgroup_size(block)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.k0 * params.k1 * params.k2 { return; }
    var d = total(i);
    if accumulate { d += z[i]; }
    z[i] = d;
}
