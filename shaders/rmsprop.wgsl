// rmsprop: g = dw + decay w; s = alpha s + (1-alpha) g^2; v = momentum v + g / (sqrt(s) + eps); w = w - rate v.
// w, dw, s, v, member are (n), rate, gate are (1). Gated, nothing changes where gate is 0.
// member is the number of the group whose rate and decay, of rates, take the place of rate and params.decay; rates is (1, 2) or longer.

struct Params { n: u32, alpha: f32, rest: f32, eps: f32, momentum: f32, decay: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<f32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> s: array<f32>;
@group(0) @binding(5) var<storage, read_write> v: array<f32>;
@group(0) @binding(6) var<storage, read> member: array<f32>;
@group(0) @binding(7) var<storage, read> rates: array<f32>;
@group(0) @binding(8) var<storage, read> gate: array<u32>;

const block: u32 = 64u;

fn update(i: u32, lr: f32, decay: f32) {
    let g = dw[i] + decay * w[i];
    let s1 = params.alpha * s[i] + params.rest * g * g;
    let v1 = params.momentum * v[i] + g / (sqrt(s1) + params.eps);
    s[i] = s1;
    v[i] = v1;
    w[i] = w[i] - lr * v1;
}

// each: n
// invocations: n
// flops: 12*n
@compute @workgroup_size(block)
fn step(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    update(i, rate[0], params.decay);
}

// each: n
// invocations: n
// flops: 12*n
@compute @workgroup_size(block)
fn step_gated(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n || gate[0] == 0u { return; }
    update(i, rate[0], params.decay);
}

// each: n
// invocations: n
// flops: 12*n
@compute @workgroup_size(block)
fn step_grouped(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let own = 2u * u32(member[i]);
    update(i, rates[own], rates[own + 1u]);
}

// each: n
// invocations: n
// flops: 12*n
@compute @workgroup_size(block)
fn step_grouped_gated(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n || gate[0] == 0u { return; }
    let own = 2u * u32(member[i]);
    update(i, rates[own], rates[own + 1u]);
}
