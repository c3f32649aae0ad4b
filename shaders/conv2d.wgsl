// conv2d: y[n,k,i,j] += b[k] + sum over c,r,s of w[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, dx are (n, c, h, w), weight, dw are (k, c/groups, r, s), bias is (k), y, dy are (n, k, oh, ow),
// part, parts are (splits, k*(c/groups)*r*s + biased*k): parts of dw, and behind them of db, the gradient (k) of the bias.
// db is (k).
// test: n=2, c=4, h=7, w=8, k=6, r=3, s=2, oh=4, ow=8, stride_h=2, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=2, groups=2, biased=1, splits=3, rectified=0

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32, splits: u32,
    rectified: u32, // y = max(y, 0) at the end
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;
@group(0) @binding(7) var<storage, read_write> part: array<f32>;
@group(0) @binding(8) var<storage, read> parts: array<f32>;
@group(0) @binding(9) var<storage, read_write> dw: array<f32>;
@group(0) @binding(10) var<storage, read_write> db: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// invocations: n*k*oh*ow
// trips: (c/groups)*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n * params.k * params.oh * params.ow { return; }
    let column = i32(i % params.ow * params.stride_w) - params.pad_w;
    let row = i32(i / params.ow % params.oh * params.stride_h) - params.pad_h;
    let k = i / (params.ow * params.oh) % params.k;
    let image = i / (params.ow * params.oh * params.k);
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    var sum = 0.0;
    for (var c = 0u; c < inner; c++) {
        let plane = image * params.c + k / outer * inner + c;
        for (var r = 0u; r < params.r; r++) {
            let iy = row + i32(r * params.dilation_h);
            for (var s = 0u; s < params.s; s++) {
                let ix = column + i32(s * params.dilation_w);
                if iy >= 0 && iy < i32(params.h) && ix >= 0 && ix < i32(params.w) {
                    sum += weight[((k * inner + c) * params.r + r) * params.s + s] * x[(plane * params.h + u32(iy)) * params.w + u32(ix)];
                }
            }
        }
    }
    if params.biased != 0u { sum += bias[k]; }
    if accumulate { sum += y[i]; }
    if params.rectified != 0u { sum = select(0.0, sum, sum > 0.0); }
    y[i] = sum;
}

// invocations: n*c*h*w
// trips: (k/groups)*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn backward_x(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n * params.c * params.h * params.w { return; }
    let column = i32(i % params.w) + params.pad_w;
    let row = i32(i / params.w % params.h) + params.pad_h;
    let c = i / (params.w * params.h) % params.c;
    let image = i / (params.w * params.h * params.c);
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    var sum = 0.0;
    for (var k = 0u; k < outer; k++) {
        let channel = c / inner * outer + k;
        for (var r = 0u; r < params.r; r++) {
            let ty = row - i32(r * params.dilation_h);
            let oy = u32(max(ty, 0)) / params.stride_h;
            for (var s = 0u; s < params.s; s++) {
                let tx = column - i32(s * params.dilation_w);
                let ox = u32(max(tx, 0)) / params.stride_w;
                // Only rows and columns that the stride does not step over.
                if ty == i32(oy * params.stride_h) && tx == i32(ox * params.stride_w) && oy < params.oh && ox < params.ow {
                    sum += weight[((channel * inner + c % inner) * params.r + r) * params.s + s] * dy[((image * params.k + channel) * params.oh + oy) * params.ow + ox];
                }
            }
        }
    }
    if accumulate { sum += dx[i]; }
    dx[i] = sum;
}

// length of a split: the weights, and the biases where there are any.
fn length() -> u32 {
    return params.k * (params.c / params.groups) * params.r * params.s + params.biased * params.k;
}

// split: part is dw, and db, of every splits-th element of the planes of dy.
// invocations: splits*(k*(c/groups)*r*s+biased*k)
// trips: ceil(n*oh*ow/splits)
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn split(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let size = params.k * inner * params.r * params.s;
    if i >= params.splits * length() { return; }
    let to = i % length();
    let biases = to >= size;
    let s = to % params.s;
    let r = to / params.s % params.r;
    let k = select(to / (params.s * params.r * inner), to - size, biases);
    let c = k / outer * inner + to / (params.s * params.r) % inner;
    var sum = 0.0;
    for (var at = i / length(); at < params.n * params.oh * params.ow; at += params.splits) {
        let ox = at % params.ow;
        let oy = at / params.ow % params.oh;
        let image = at / (params.ow * params.oh);
        let d = dy[((image * params.k + k) * params.oh + oy) * params.ow + ox];
        if biases {
            sum += d;
            continue;
        }
        let iy = i32(oy * params.stride_h + r * params.dilation_h) - params.pad_h;
        let ix = i32(ox * params.stride_w + s * params.dilation_w) - params.pad_w;
        if iy >= 0 && iy < i32(params.h) && ix >= 0 && ix < i32(params.w) {
            sum += d * x[((image * params.c + c) * params.h + u32(iy)) * params.w + u32(ix)];
        }
    }
    part[i] = sum;
}

// total of the splits at i.
fn total(i: u32) -> f32 {
    var sum = 0.0;
    for (var j = 0u; j < params.splits; j++) { sum += parts[j * length() + i]; }
    return sum;
}

// join adds up the splits of dw.
// invocations: k*(c/groups)*r*s
// trips: splits
@compute @workgroup_size(block)
fn join(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let size = params.k * (params.c / params.groups) * params.r * params.s;
    let i = id.y * groups.x * block + id.x;
    if i >= size { return; }
    var sum = total(i);
    if accumulate { sum += dw[i]; }
    dw[i] = sum;
}

// join_biased adds up the splits of dw and of db.
// invocations: k*(c/groups)*r*s+k
// trips: splits
@compute @workgroup_size(block)
fn join_biased(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let size = params.k * (params.c / params.groups) * params.r * params.s;
    let i = id.y * groups.x * block + id.x;
    if i >= size + params.k { return; }
    var sum = total(i);
    if i < size {
        if accumulate { sum += dw[i]; }
        dw[i] = sum;
    } else {
        if accumulate { sum += db[i - size]; }
        db[i - size] = sum;
    }
}
