// clip_norm: dw = dw * min(1, most / (sqrt(total) + 1e-6)), total = the sum of dw^2 over all gradients.
// dw, g are (n), part is (lanes): of the elements lane, lane + lanes ..., total, norm are (1),
// x0 is (n0), x1 is (n1), x2 is (n2), x3 is (n3), x4 is (n4), x5 is (n5): the parts of up to six gradients.
// test: n=67, lanes=8, n0=3, n1=70, n2=1, n3=2, n4=5, n5=64, most=0.5

struct Params { n: u32, lanes: u32, n0: u32, n1: u32, n2: u32, n3: u32, n4: u32, n5: u32, most: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> dw: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
@group(0) @binding(4) var<storage, read> x0: array<f32>;
@group(0) @binding(5) var<storage, read> x1: array<f32>;
@group(0) @binding(6) var<storage, read> x2: array<f32>;
@group(0) @binding(7) var<storage, read> x3: array<f32>;
@group(0) @binding(8) var<storage, read> x4: array<f32>;
@group(0) @binding(9) var<storage, read> x5: array<f32>;
@group(0) @binding(10) var<storage, read_write> total: array<f32>;
@group(0) @binding(11) var<storage, read> norm: array<f32>;

const block: u32 = 64u;

var<workgroup> lanes: array<f32, 64>;

// invocations: lanes
// trips: ceil(n/lanes)
// flops: 2*n
@compute @workgroup_size(block)
fn square(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let lane = id.y * groups.x * block + id.x;
    if lane >= params.lanes { return; }
    var sum = 0.0;
    for (var i = lane; i < params.n; i += params.lanes) { sum += g[i] * g[i]; }
    part[lane] = sum;
}

// gather adds to the total what the parts hold: each lane in the order of the arrays, then
// the lanes in theirs.
// workgroups: 1
// trips: ceil(n0/block)+ceil(n1/block)+ceil(n2/block)+ceil(n3/block)+ceil(n4/block)+ceil(n5/block)+block
@compute @workgroup_size(block)
fn gather(@builtin(local_invocation_id) id: vec3<u32>) {
    var sum = 0.0;
    for (var i = id.x; i < params.n0; i += block) { sum += x0[i]; }
    for (var i = id.x; i < params.n1; i += block) { sum += x1[i]; }
    for (var i = id.x; i < params.n2; i += block) { sum += x2[i]; }
    for (var i = id.x; i < params.n3; i += block) { sum += x3[i]; }
    for (var i = id.x; i < params.n4; i += block) { sum += x4[i]; }
    for (var i = id.x; i < params.n5; i += block) { sum += x5[i]; }
    lanes[id.x] = sum;
    workgroupBarrier();
    if id.x == 0u {
        sum = total[0];
        for (var i = 0u; i < block; i++) { sum += lanes[i]; }
        total[0] = sum;
    }
}

// each: n
// invocations: n
// flops: 5*n
@compute @workgroup_size(block)
fn scale(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    dw[i] = dw[i] * min(1.0, params.most / (sqrt(norm[0]) + 1e-6));
}
