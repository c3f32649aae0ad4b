// conv2d_tiled_weights: dw[k,c,r,s] = sum over n,i,j of dy[n,k,i,j] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, x1 are (n, c, h, w), dy, dy1 are (n, k, oh, ow), part is (splits, k*(c/groups)*r*s + biased*k): a split holds the sum,
// and behind it the sum of dy, the gradient of the bias,
// over every splits-th strip of an image, 4 columns of dy wide. x1 is x and dy1 is dy by single elements.
// test: n=2, c=2, h=5, w=8, k=3, r=3, s=3, oh=5, ow=8, stride_h=1, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=1, groups=1, channels=3, inputs=2, quads=3, shift=3, splits=3, biased=1, x1=x, dy1=dy

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    channels: u32, // output channels of one invocation
    inputs: u32,   // input channels of one invocation
    quads: u32,    // of columns of x that 4 columns of dy and a row of taps meet
    shift: u32,    // columns before them, so that quads start at multiples of 4
    splits: u32,
    biased: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy1: array<f32>;
@group(0) @binding(5) var<storage, read_write> part: array<f32>;

const block: u32 = 32u;
// looked_up is 1 for a loop over the sums, as in matmul_subgroup.wgsl.
const looked_up: u32 = 0u;

var<private> sum: array<f32, 288>; // channels by inputs by r by s
var<private> offset: array<vec4<f32>, 16>; // channels
var<private> met: array<vec4<f32>, 288>; // inputs by r by s: what 4 columns of dy meet
var<private> done: array<f32, 288>; // sum, to look up
var<private> offsets: array<vec4<f32>, 16>; // offset, likewise
var<private> seen: array<f32, 160>; // inputs by r by quads by 4

// Conditions are joined by &, as in conv2d_tiled.wgsl.

// see sets seen to what 4 columns of dy and row r of the taps meet in row iy of input c of the block, 0 outside. Of
// a quad that is not needed whole it loads what is.
fn see(c: u32, r: u32, plane: u32, iy: i32, left: i32) {
    let inside = (iy >= 0) & (iy < i32(params.h));
    let line = (plane + u32(clamp(iy, 0, i32(params.h) - 1))) * params.w;
    // unroll
    for (var q = 0u; q < params.quads; q++) {
        if params.w % 4u == 0u && 4u * q >= params.shift && 4u * q + 3u + params.dilation_w <= params.shift + 3u * params.stride_w + params.s * params.dilation_w {
            let ix = left + i32(4u * q);
            let v = x[(line + u32(clamp(ix, 0, max(0, i32(params.w) - 4)))) >> 2u];
            let masked = select(vec4<f32>(), v, inside & (ix >= 0) & (ix < i32(params.w)));
            // unroll
            for (var j = 0u; j < 4u; j++) {
                seen[((c * params.r + r) * params.quads + q) * 4u + j] = masked[j];
            }
        } else {
            // unroll
            for (var j = 0u; j < 4u; j++) {
                if 4u * q + j >= params.shift && 4u * q + j + params.dilation_w <= params.shift + 3u * params.stride_w + params.s * params.dilation_w {
                    let ix = left + i32(4u * q + j);
                    let v = x1[line + u32(clamp(ix, 0, i32(params.w) - 1))];
                    seen[((c * params.r + r) * params.quads + q) * 4u + j] = select(0.0, v, inside & (ix >= 0) & (ix < i32(params.w)));
                }
            }
        }
    }
}

// gradient is four columns of dy, zero beyond the last; line is a row's start.
fn gradient(line: u32, column: u32) -> vec4<f32> {
    if params.ow % 4u == 0u { return dy[(line + column) >> 2u]; }
    var v: vec4<f32>;
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let one = dy1[line + min(column + j, params.ow - 1u)];
        v[j] = select(0.0, one, column + j < params.ow);
    }
    return v;
}

// split: an invocation walks down the strips of one split, for a block of output
// and one of input channels.
// invocations: splits, ceil((k/groups)/channels)*ceil((c/groups)/inputs), groups
// trips: ceil(n*ceil(ow/4)/splits)*oh + channels + looked_up*channels*inputs*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn split(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let which = id.x;
    if which >= params.splits { return; }
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let blocks = (outer + params.channels - 1u) / params.channels;
    let k0 = wid.y % blocks * params.channels;
    let c0 = wid.y / blocks * params.inputs;
    let across = (params.ow + 3u) / 4u;
    // One row of dy further down, all taps but the lowest meet what the tap below
    // them has met.
    for (var strip = which; strip < params.n * across; strip += params.splits) {
        let image = strip / across;
        let column = strip % across * 4u;
        let left = i32(column * params.stride_w) - params.pad_w - i32(params.shift);
        if params.stride_h == params.dilation_h {
            // unroll
            for (var c = 0u; c < params.inputs; c++) {
                let plane = (image * params.c + wid.z * inner + min(c0 + c, inner - 1u)) * params.h;
                // unroll
                for (var r = 0u; r < params.r - 1u; r++) {
                    see(c, r + 1u, plane, i32(r * params.dilation_h) - params.pad_h, left);
                }
            }
        }
        for (var row = 0u; row < params.oh; row++) {
            // unroll
            for (var c = 0u; c < params.inputs; c++) {
                let plane = (image * params.c + wid.z * inner + min(c0 + c, inner - 1u)) * params.h;
                // unroll
                for (var r = 0u; r < params.r; r++) {
                    if params.stride_h == params.dilation_h && r + 1u < params.r {
                        // unroll
                        for (var j = 0u; j < 4u * params.quads; j++) {
                            seen[(c * params.r + r) * params.quads * 4u + j] = seen[(c * params.r + r + 1u) * params.quads * 4u + j];
                        }
                    } else {
                        see(c, r, plane, i32(row * params.stride_h + r * params.dilation_h) - params.pad_h, left);
                    }
                }
            }
            // unroll
            for (var i = 0u; i < params.inputs * params.r; i++) {
                // unroll
                for (var s = 0u; s < params.s; s++) {
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        met[i * params.s + s][j] = seen[i * params.quads * 4u + params.shift + s * params.dilation_w + j * params.stride_w];
                    }
                }
            }
            // unroll
            for (var k = 0u; k < params.channels; k++) {
                let channel = wid.z * outer + min(k0 + k, outer - 1u);
                let d = gradient(((image * params.k + channel) * params.oh + row) * params.ow, column);
                if params.biased != 0u { offset[k] += d; }
                // unroll
                for (var i = 0u; i < params.inputs * params.r * params.s; i++) {
                    sum[k * params.inputs * params.r * params.s + i] += dot(d, met[i]);
                }
            }
        }
    }
    let weights = params.k * inner * params.r * params.s;
    let length = weights + params.biased * params.k;
    if looked_up == 1u {
        // unroll
        for (var i = 0u; i < params.channels * params.inputs * params.r * params.s; i++) {
            done[i] = sum[i];
        }
        if params.biased != 0u {
            // unroll
            for (var k = 0u; k < params.channels; k++) {
                offsets[k] = offset[k];
            }
        }
        for (var k = 0u; k < params.channels; k++) {
            if (params.biased != 0u) & (c0 == 0u) & (k0 + k < outer) {
                part[which * length + weights + wid.z * outer + k0 + k] = (offsets[k].x + offsets[k].y) + (offsets[k].z + offsets[k].w);
            }
            for (var c = 0u; c < params.inputs; c++) {
                if (k0 + k < outer) & (c0 + c < inner) {
                    let to = which * length + ((wid.z * outer + k0 + k) * inner + c0 + c) * params.r * params.s;
                    for (var i = 0u; i < params.r * params.s; i++) {
                        part[to + i] = done[(k * params.inputs + c) * params.r * params.s + i];
                    }
                }
            }
        }
    } else {
        // A store of each sum, written out, would take drivers as long to compile as all the rest. Those of
        // one channel are; then the next channel's move to their place. Drivers do not see that the second
        // term is 0, so that none writes the loop out.
        let live = min(params.channels, outer - k0) + which / params.splits;
        for (var k = 0u; k < live; k++) {
            if (params.biased != 0u) & (c0 == 0u) {
                part[which * length + weights + wid.z * outer + k0 + k] = (offset[0].x + offset[0].y) + (offset[0].z + offset[0].w);
            }
            // unroll
            for (var c = 0u; c < params.inputs; c++) {
                if c0 + c < inner {
                    let to = which * length + ((wid.z * outer + k0 + k) * inner + c0 + c) * params.r * params.s;
                    // unroll
                    for (var i = 0u; i < params.r * params.s; i++) {
                        part[to + i] = sum[c * params.r * params.s + i];
                    }
                }
            }
            // unroll
            for (var i = 0u; i < (params.channels - 1u) * params.inputs * params.r * params.s; i++) {
                sum[i] = sum[i + params.inputs * params.r * params.s];
            }
            if params.biased != 0u {
                // unroll
                for (var i = 0u; i < params.channels - 1u; i++) {
                    offset[i] = offset[i + 1u];
                }
            }
        }
    }
}
