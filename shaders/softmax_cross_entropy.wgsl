// softmax_cross_entropy: loss = sum over rows of w[label] ((1-e) nll[label]) + e/classes sum over c of w[c] nll[c], by the sum of w[label], or 0 where that is 0; nll = max + log(sum exp(x - max)) - x.
// x, dx are (rows, classes), labels is (rows), nll, losses are (rows, 2): the loss and w[label], lse, lses are (rows, 2): maximum and log of the sum, weights is (classes),
// part, parts are (parts, 2), loss, total, totals, dloss are (1). A label beyond the classes counts as the last one.
// test: rows=9, classes=5, parts=2, length=5, smoothing=0.1, rest=0.02

struct Params { rows: u32, classes: u32, parts: u32, length: u32, smoothing: f32, rest: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> nll: array<f32>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;
@group(0) @binding(7) var<storage, read> losses: array<f32>;
@group(0) @binding(9) var<storage, read_write> part: array<f32>;
@group(0) @binding(10) var<storage, read> parts: array<f32>;
@group(0) @binding(11) var<storage, read_write> loss: array<f32>;
@group(0) @binding(12) var<storage, read_write> total: array<f32>;
@group(0) @binding(13) var<storage, read> lses: array<f32>;
@group(0) @binding(14) var<storage, read> totals: array<f32>;
@group(0) @binding(15) var<storage, read> dloss: array<f32>;
@group(0) @binding(16) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// forward is one row an invocation: its loss, its weight, and its log-sum-exp in two parts:
// the maximum is often large, and what is subtracted from it first is exact or small.
// invocations: rows
// trips: 3*classes
// flops: 6*rows*classes
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.y * groups.x * block + id.x;
    if row >= params.rows { return; }
    let first = row * params.classes;
    var most = x[first];
    for (var c = 1u; c < params.classes; c++) { most = max(most, x[first + c]); }
    var sum = 0.0;
    for (var c = 0u; c < params.classes; c++) { sum += exp(x[first + c] - most); }
    let rest = log(sum);
    let label = min(labels[row], params.classes - 1u);
    var l = params.rest * weights[label] * ((most - x[first + label]) + rest);
    if params.smoothing != 0.0 {
        var all = 0.0;
        for (var c = 0u; c < params.classes; c++) { all += weights[c] * ((most - x[first + c]) + rest); }
        l += params.smoothing / f32(params.classes) * all;
    }
    nll[2u * row] = l;
    nll[2u * row + 1u] = weights[label];
    lse[2u * row] = most;
    lse[2u * row + 1u] = rest;
}

// invocations: parts
// trips: length
@compute @workgroup_size(block)
fn gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.parts { return; }
    let last = min((i + 1u) * params.length, params.rows);
    var a = 0.0;
    var b = 0.0;
    for (var row = i * params.length; row < last; row++) {
        a += losses[2u * row];
        b += losses[2u * row + 1u];
    }
    part[2u * i] = a;
    part[2u * i + 1u] = b;
}

// invocations: 1
// trips: parts
@compute @workgroup_size(1)
fn mean() {
    var a = 0.0;
    var b = 0.0;
    for (var i = 0u; i < params.parts; i++) {
        a += parts[2u * i];
        b += parts[2u * i + 1u];
    }
    var l = 0.0;
    if b != 0.0 { l = a / b; }
    loss[0] = l;
    total[0] = b;
}

// sum_weights is the sum of all class weights.
fn sum_weights() -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < params.classes; c++) { sum += weights[c]; }
    return sum;
}

// invocations: rows*classes
// trips: classes
// flops: 8*rows*classes
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.rows * params.classes { return; }
    let row = i / params.classes;
    let c = i % params.classes;
    let label = min(labels[row], params.classes - 1u);
    let p = exp((x[i] - lses[2u * row]) - lses[2u * row + 1u]);
    var d = params.rest * weights[label] * (p - select(0.0, 1.0, c == label));
    if params.smoothing != 0.0 {
        d += params.smoothing / f32(params.classes) * (p * sum_weights() - weights[c]);
    }
    if totals[0] != 0.0 { d = d * dloss[0] / totals[0]; } else { d = 0.0; }
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
