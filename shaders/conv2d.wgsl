// conv2d: y[n,k,i,j] = b[k] + sum over c,r,s of w[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, dx are (n, c, h, w), weight is (k, c/groups, r, s), bias is (k), y, dy are (n, k, oh, ow).

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: u32, pad_w: u32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32, window: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

const block: u32 = 32u;
const channels: u32 = 8u; // of one invocation's tile
const rows: u32 = 4u; // of 4 columns each
const accumulate: bool = true;

// forward: an invocation computes 8 output channels of 4 rows by 4 columns.
// window is 3 stride_w + (s-1) dilation_w + 1 columns of the input.
// invocations: n*ceil(oh/4)*ceil(ow/4), ceil((k/groups)/8), groups
// trips: (c/groups)*r
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let across = (params.ow + 3u) / 4u;
    let down = (params.oh + 3u) / 4u;
    if id.x >= params.n * down * across { return; }
    let image = id.x / (down * across);
    let row = id.x / across % down * rows;
    let column = id.x % across * 4u;
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let first = wid.y * channels;
    var sum: array<vec4<f32>, 32>;
    for (var c = 0u; c < inner; c++) {
        let plane = (image * params.c + wid.z * inner + c) * params.h;
        for (var r = 0u; r < params.r; r++) {
            // unroll
            for (var t = 0u; t < rows; t++) {
                let iy = i32((row + t) * params.stride_h + r * params.dilation_h) - i32(params.pad_h);
                let inside = iy >= 0 && iy < i32(params.h);
                let line = (plane + u32(clamp(iy, 0, i32(params.h) - 1))) * params.w;
                let left = i32(column * params.stride_w) - i32(params.pad_w);
                var seen: array<f32, 64>;
                // unroll
                for (var i = 0u; i < params.window; i++) {
                    let ix = left + i32(i);
                    let v = x[line + u32(clamp(ix, 0, i32(params.w) - 1))];
                    seen[i] = select(0.0, v, inside && ix >= 0 && ix < i32(params.w));
                }
                // unroll
                for (var s = 0u; s < params.s; s++) {
                    let v = vec4<f32>(seen[s * params.dilation_w], seen[s * params.dilation_w + params.stride_w], seen[s * params.dilation_w + 2u * params.stride_w], seen[s * params.dilation_w + 3u * params.stride_w]);
                    // unroll
                    for (var k = 0u; k < channels; k++) {
                        let channel = wid.z * outer + min(first + k, outer - 1u);
                        sum[k * 4u + t] += weight[((channel * inner + c) * params.r + r) * params.s + s] * v;
                    }
                }
            }
        }
    }
    // unroll
    for (var k = 0u; k < channels; k++) {
        let channel = wid.z * outer + first + k;
        // unroll
        for (var t = 0u; t < rows; t++) {
            // unroll
            for (var j = 0u; j < 4u; j++) {
                if first + k < outer && row + t < params.oh && column + j < params.ow {
                    var v = sum[k * 4u + t][j];
                    if params.biased != 0u { v += bias[channel]; }
                    y[((image * params.k + channel) * params.oh + row + t) * params.ow + column + j] = v;
                }
            }
        }
    }
}

// backward_x: dx[n,c,i,j] += sum over k,r,s of w[k,c,r,s] dy[n,k,(i+pad-r dilation)/stride,...], stride 1.
// window is (s-1) dilation_w + 4 columns of dy.
// invocations: n*ceil(h/4)*ceil(w/4), ceil((c/groups)/8), groups
// trips: (k/groups)*r
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn backward_x(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let across = (params.w + 3u) / 4u;
    let down = (params.h + 3u) / 4u;
    if id.x >= params.n * down * across { return; }
    let image = id.x / (down * across);
    let row = id.x / across % down * rows;
    let column = id.x % across * 4u;
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let first = wid.y * channels;
    var sum: array<vec4<f32>, 32>;
    for (var k = 0u; k < outer; k++) {
        let plane = (image * params.k + wid.z * outer + k) * params.oh;
        let filters = (wid.z * outer + k) * inner;
        for (var r = 0u; r < params.r; r++) {
            // unroll
            for (var t = 0u; t < rows; t++) {
                let oy = i32(row + t + params.pad_h) - i32(r * params.dilation_h);
                let inside = oy >= 0 && oy < i32(params.oh);
                let line = (plane + u32(clamp(oy, 0, i32(params.oh) - 1))) * params.ow;
                let left = i32(column + params.pad_w) - i32((params.s - 1u) * params.dilation_w);
                var seen: array<f32, 64>;
                // unroll
                for (var i = 0u; i < params.window; i++) {
                    let ox = left + i32(i);
                    let v = dy[line + u32(clamp(ox, 0, i32(params.ow) - 1))];
                    seen[i] = select(0.0, v, inside && ox >= 0 && ox < i32(params.ow));
                }
                // unroll
                for (var s = 0u; s < params.s; s++) {
                    let v = vec4<f32>(seen[(params.s - 1u - s) * params.dilation_w], seen[(params.s - 1u - s) * params.dilation_w + 1u], seen[(params.s - 1u - s) * params.dilation_w + 2u], seen[(params.s - 1u - s) * params.dilation_w + 3u]);
                    // unroll
                    for (var c = 0u; c < channels; c++) {
                        sum[c * 4u + t] += weight[((filters + min(first + c, inner - 1u)) * params.r + r) * params.s + s] * v;
                    }
                }
            }
        }
    }
    // unroll
    for (var c = 0u; c < channels; c++) {
        // unroll
        for (var t = 0u; t < rows; t++) {
            // unroll
            for (var j = 0u; j < 4u; j++) {
                if first + c < inner && row + t < params.h && column + j < params.w {
                    let i = ((image * params.c + wid.z * inner + first + c) * params.h + row + t) * params.w + column + j;
                    var v = sum[c * 4u + t][j];
                    if accumulate { v += dx[i]; }
                    dx[i] = v;
                }
            }
        }
    }
}

// backward_x_plain is backward_x for any stride, one element an invocation.
// invocations: n*c*h*w
// trips: (k/groups)*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn backward_x_plain(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n * params.c * params.h * params.w { return; }
    let column = i32(i % params.w);
    let row = i32(i / params.w % params.h);
    let c = i / (params.w * params.h) % params.c;
    let image = i / (params.w * params.h * params.c);
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    var sum = 0.0;
    for (var k = 0u; k < outer; k++) {
        let channel = c / inner * outer + k;
        for (var r = 0u; r < params.r; r++) {
            let ty = row + i32(params.pad_h) - i32(r * params.dilation_h);
            for (var s = 0u; s < params.s; s++) {
                let tx = column + i32(params.pad_w) - i32(s * params.dilation_w);
                let oy = u32(max(ty, 0)) / params.stride_h;
                let ox = u32(max(tx, 0)) / params.stride_w;
                if ty >= 0 && tx >= 0 && oy * params.stride_h == u32(ty) && ox * params.stride_w == u32(tx) && oy < params.oh && ox < params.ow {
                    sum += weight[((channel * inner + c % inner) * params.r + r) * params.s + s] * dy[((image * params.k + channel) * params.oh + oy) * params.ow + ox];
                }
            }
        }
    }
    if accumulate { sum += dx[i]; }
    dx[i] = sum;
}
