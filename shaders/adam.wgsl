// adam: m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; w = w - rate (m/q1) / (sqrt(v/q2) + eps), q = 1 - b^step.
// w, dw, m, v, member are (n), rate, gate are (1), q, next are (2). Gated, nothing changes where gate is 0. Decay adds to g, or shrinks w where it is decoupled (AdamW).
// member is the number of the group whose rate and decay, of rates, take the place of rate and params.decay; rates is (1, 2) or longer.
// test: n=67, beta1=0.9, rest1=0.1, beta2=0.99, rest2=0.01, eps=0.001, decay=0.1, decoupled=1

struct Params { n: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, eps: f32, decay: f32, decoupled: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<f32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;
@group(0) @binding(3) var<storage, read> q: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;
@group(0) @binding(7) var<storage, read_write> next: array<f32>;
@group(0) @binding(8) var<storage, read> member: array<f32>;
@group(0) @binding(9) var<storage, read> rates: array<f32>;
@group(0) @binding(10) var<storage, read> gate: array<u32>;

const block: u32 = 64u;

fn update(i: u32, lr: f32, decay: f32) {
    var x = w[i];
    var g = dw[i];
    if params.decoupled != 0u {
        x = x - lr * decay * x;
    } else {
        g = g + decay * x;
    }
    let m1 = params.beta1 * m[i] + params.rest1 * g;
    let v1 = params.beta2 * v[i] + params.rest2 * g * g;
    m[i] = m1;
    v[i] = v1;
    w[i] = x - lr * (m1 / q[0]) / (sqrt(v1 / q[1]) + params.eps);
}

// each: n
// invocations: n
// flops: 15*n
@compute @workgroup_size(block)
fn step(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    update(i, rate[0], params.decay);
}

// each: n
// invocations: n
// flops: 15*n
@compute @workgroup_size(block)
fn step_gated(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n || gate[0] == 0u { return; }
    update(i, rate[0], params.decay);
}

// each: n
// invocations: n
// flops: 15*n
@compute @workgroup_size(block)
fn step_grouped(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let own = 2u * u32(member[i]);
    update(i, rates[own], rates[own + 1u]);
}

// each: n
// invocations: n
// flops: 15*n
@compute @workgroup_size(block)
fn step_grouped_gated(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n || gate[0] == 0u { return; }
    let own = 2u * u32(member[i]);
    update(i, rates[own], rates[own + 1u]);
}

// correction: next = 1 - b^(step+1) from 1 - b^step, without cancellation.
fn correction() {
    next[0] = next[0] * params.beta1 + params.rest1;
    next[1] = next[1] * params.beta2 + params.rest2;
}

// invocations: 1
@compute @workgroup_size(1)
fn correct() {
    correction();
}

// invocations: 1
@compute @workgroup_size(1)
fn correct_gated() {
    if gate[0] != 0u { correction(); }
}
