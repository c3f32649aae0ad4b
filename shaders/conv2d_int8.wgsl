// conv2d_int8: y[n,k,i,j] = b[k] + scale[k] sum over c,r,s of q[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation],
// where q are bytes with a sign, four to a number.
// x is (n, c, h, w), q is (k, ceil(c/groups*r*s/4)), scale, bias are (k), y is (n, k, oh, ow). A row of q holds the taps of
// an output channel, the first of four in the lowest bits.
// test: n=2, c=6, h=7, w=8, k=6, r=3, s=2, oh=4, ow=8, stride_h=2, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=2, groups=2, biased=1

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> q: array<u32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;

// An invocation computes 4 columns of a row of y.
// invocations: n*k*oh*ceil(ow/4)
// trips: (c/groups)*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let across = (params.ow + 3u) / 4u;
    if i >= params.n * params.k * params.oh * across { return; }
    let column = i % across * 4u;
    let row = i32(i / across % params.oh * params.stride_h) - params.pad_h;
    let k = i / (across * params.oh) % params.k;
    let image = i / (across * params.oh * params.k);
    let inner = params.c / params.groups;
    let first = image * params.c + k / (params.k / params.groups) * inner;
    var at = k * ((inner * params.r * params.s + 3u) / 4u) * 4u; // the byte
    var sum = vec4<f32>();
    for (var c = 0u; c < inner; c++) {
        for (var r = 0u; r < params.r; r++) {
            let iy = row + i32(r * params.dilation_h);
            let line = ((first + c) * params.h + u32(clamp(iy, 0, i32(params.h) - 1))) * params.w;
            for (var s = 0u; s < params.s; s++) {
                let one = f32(bitcast<i32>(q[at / 4u] << (24u - 8u * (at % 4u))) >> 24u);
                at++;
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    let ix = i32((column + j) * params.stride_w + s * params.dilation_w) - params.pad_w;
                    let seen = x[line + u32(clamp(ix, 0, i32(params.w) - 1))];
                    sum[j] += one * select(0.0, seen, (iy >= 0) & (iy < i32(params.h)) & (ix >= 0) & (ix < i32(params.w)));
                }
            }
        }
    }
    var more = 0.0;
    if params.biased != 0u { more = bias[k]; }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        if column + j < params.ow {
            y[i / across * params.ow + column + j] = scale[k] * sum[j] + more;
        }
    }
}
