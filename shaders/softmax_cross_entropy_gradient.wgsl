// softmax_cross_entropy_gradient: loss of softmax_cross_entropy.wgsl and dx = dloss times its gradient, in one workgroup.
// x, dx are (rows, classes), labels is (rows), weights is (classes), nll, lse are (rows, 2), loss, dloss are (1): as there.
// test: rows=9, classes=5, parts=2, length=5, smoothing=0.1, rest=0.02

struct Params { rows: u32, classes: u32, parts: u32, length: u32, smoothing: f32, rest: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> dloss: array<f32>;
@group(0) @binding(5) var<storage, read_write> nll: array<f32>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;
@group(0) @binding(7) var<storage, read_write> loss: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

const block: u32 = 256u;
const most_parts: u32 = 512u;
const accumulate: bool = true;

var<workgroup> part: array<vec2<f32>, most_parts>;
var<workgroup> total: f32;

// Each number is computed, and each sum is added up, as softmax_cross_entropy.wgsl does it: the bits are the same.
// workgroups: 1
// trips: 4*classes*ceil(rows/block)+ceil(parts/block)*length+parts+classes+ceil(rows*classes/block)
// flops: 14*rows*classes
@compute @workgroup_size(block)
fn forward(@builtin(local_invocation_index) local: u32) {
    for (var row = local; row < params.rows; row += block) {
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
    storageBarrier();
    for (var i = local; i < params.parts; i += block) {
        let last = min((i + 1u) * params.length, params.rows);
        var a = 0.0;
        var b = 0.0;
        for (var row = i * params.length; row < last; row++) {
            a += nll[2u * row];
            b += nll[2u * row + 1u];
        }
        part[i] = vec2<f32>(a, b);
    }
    workgroupBarrier();
    if local == 0u {
        var a = 0.0;
        var b = 0.0;
        for (var i = 0u; i < params.parts; i++) {
            a += part[i].x;
            b += part[i].y;
        }
        var l = 0.0;
        if b != 0.0 { l = a / b; }
        loss[0] = l;
        total = b;
    }
    workgroupBarrier();
    var whole = 0.0; // of all class weights
    if params.smoothing != 0.0 {
        for (var c = 0u; c < params.classes; c++) { whole += weights[c]; }
    }
    for (var i = local; i < params.rows * params.classes; i += block) {
        let row = i / params.classes;
        let c = i % params.classes;
        let label = min(labels[row], params.classes - 1u);
        let p = exp((x[i] - lse[2u * row]) - lse[2u * row + 1u]);
        var d = params.rest * weights[label] * (p - select(0.0, 1.0, c == label));
        if params.smoothing != 0.0 {
            d += params.smoothing / f32(params.classes) * (p * whole - weights[c]);
        }
        if total != 0.0 { d = d * dloss[0] / total; } else { d = 0.0; }
        if accumulate { d += dx[i]; }
        dx[i] = d;
    }
}
