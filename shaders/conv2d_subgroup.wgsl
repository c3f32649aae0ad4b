// conv2d_subgroup: y[n,k,i,j] = b[k] + sum over c,r,s of w[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, x1 are (n, c, h, w), weight is (k, c/groups, r, s), bias is (k), y, y1 are (n, k, oh, ow); x1 is x and y1 is y
// by single elements.
//
// The input gradient of a convolution with stride 1 is such a sum too, as in conv2d_tiled.wgsl. An invocation computes a tile of rows by 4 columns of some output channels, as in conv2d_tiled.wgsl. A workgroup
// is one subgroup, whose tiles lie next to each other: each invocation loads a few weights, which the others
// get from its registers.
// test: n=2, c=2, h=5, w=8, k=3, r=3, s=3, oh=5, ow=8, stride_h=1, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=1, groups=1, biased=1, rectified=1, turned=0, channels=4, rows=2, quads=3, shift=3, x1=x, y1=y

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32,
    rectified: u32, // y = max(y, 0) at the end
    turned: u32,   // 1 for an input gradient
    channels: u32, // output channels of one invocation
    rows: u32,     // output rows of one invocation, of 4 columns each
    quads: u32,    // of columns of x that 4 columns of y and a row of taps meet
    shift: u32,    // columns before them, so that quads start at multiples of 4
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y1: array<f32>;

const block: u32 = 8u;
// looked_up is 1 for a loop over the sums, as in matmul_subgroup.wgsl.
const looked_up: u32 = 0u;
const accumulate: bool = true;

var<private> sum: array<vec4<f32>, 64>; // channels by rows
var<private> done: array<vec4<f32>, 64>; // sum, to look up
var<private> seen: array<f32, 256>; // rows by quads by 4
var<private> met: array<vec4<f32>, 512>; // rows by taps of a row: what 4 columns of y meet
var<private> tap: array<vec4<f32>, 128>; // taps of a row
var<private> start: array<u32, 64>; // where those are in weight, of the first channel and row of taps
var<private> weights: array<f32, 64>; // what the invocation loads of a row of taps by channels

// Conditions are joined by &, as in conv2d_tiled.wgsl.

// see sets seen to what 4 columns of y and a row of taps meet of row iy of a channel of x, 0 outside, for row t of
// the tile. Of a quad that is not needed whole it loads what is.
fn see(t: u32, plane: u32, iy: i32, left: i32) {
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
                seen[(t * params.quads + q) * 4u + j] = masked[j];
            }
        } else {
            // unroll
            for (var j = 0u; j < 4u; j++) {
                if 4u * q + j >= params.shift && 4u * q + j + params.dilation_w <= params.shift + 3u * params.stride_w + params.s * params.dilation_w {
                    let ix = left + i32(4u * q + j);
                    let v = x1[line + u32(clamp(ix, 0, i32(params.w) - 1))];
                    seen[(t * params.quads + q) * 4u + j] = select(0.0, v, inside & (ix >= 0) & (ix < i32(params.w)));
                }
            }
        }
    }
}

struct Tile { image: u32, row: u32, column: u32, live: bool }

// place is where invocation i works. Those beyond the last do its work again, and
// write nothing: a subgroup loads weights together.
fn place(i: u32) -> Tile {
    let across = (params.ow + 3u) / 4u;
    let down = (params.oh + params.rows - 1u) / params.rows;
    let at = min(i, params.n * down * across - 1u);
    return Tile(at / (down * across), at / across % down * params.rows, at % across * 4u, i == at);
}

// correlate sets sum for the tile, a block of output channels and a group.
fn correlate(tile: Tile, which: u32, group: u32, lane: u32) {
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let taps = params.r * params.s;
    let left = i32(tile.column * params.stride_w) - params.pad_w - i32(params.shift);
    let top = i32(tile.row * params.stride_h) - params.pad_h;
    // unroll
    for (var i = 0u; i < (params.s * params.channels + block - 1u) / block; i++) {
        let tap = min((i * block + lane) / params.channels, params.s - 1u);
        let k = min(which * params.channels + (i * block + lane) % params.channels, outer - 1u);
        if params.turned != 0u {
            start[i] = (group * inner * outer + k + 1u) * taps - 1u - tap;
        } else {
            start[i] = (group * outer + k) * inner * taps + tap;
        }
    }
    // One row of taps further down, all rows of the tile but the last have been
    // seen by their neighbours.
    for (var c = 0u; c < inner; c++) {
        let plane = (tile.image * params.c + group * inner + c) * params.h;
        if params.stride_h == params.dilation_h {
            // unroll
            for (var t = 0u; t < params.rows - 1u; t++) {
                see(t + 1u, plane, top + i32(t * params.stride_h), left);
            }
        }
        for (var r = 0u; r < params.r; r++) {
            // unroll
            for (var t = 0u; t < params.rows; t++) {
                if params.stride_h == params.dilation_h && t + 1u < params.rows {
                    // unroll
                    for (var j = 0u; j < 4u * params.quads; j++) {
                        seen[t * params.quads * 4u + j] = seen[(t + 1u) * params.quads * 4u + j];
                    }
                } else {
                    see(t, plane, top + i32(t * params.stride_h + r * params.dilation_h), left);
                }
            }
            let ahead = select(c * taps + r * params.s, c * outer * taps - r * params.s, params.turned != 0u);
            // unroll
            for (var i = 0u; i < (params.s * params.channels + block - 1u) / block; i++) {
                weights[i] = weight[start[i] + ahead];
            }
            // unroll
            for (var t = 0u; t < params.rows; t++) {
                // unroll
                for (var s = 0u; s < params.s; s++) {
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        met[t * params.s + s][j] = seen[t * params.quads * 4u + params.shift + s * params.dilation_w + j * params.stride_w];
                    }
                }
            }
            // unroll
            for (var k = 0u; k < params.channels; k++) {
                // unroll
                for (var s = 0u; s < params.s; s++) {
                    if block == 4u { // as in matmul_subgroup.wgsl
                        tap[s] = vec4<f32>(quadBroadcast(weights[(s * params.channels + k) / 4u], (s * params.channels + k) % 4u));
                    } else {
                        tap[s] = vec4<f32>(subgroupBroadcast(weights[(s * params.channels + k) / block], (s * params.channels + k) % block));
                    }
                }
                // unroll
                for (var t = 0u; t < params.rows; t++) {
                    var total = sum[k * params.rows + t];
                    // unroll
                    for (var s = 0u; s < params.s; s++) {
                        total = fma(tap[s], met[t * params.s + s], total);
                    }
                    sum[k * params.rows + t] = total;
                }
            }
        }
    }
}

// finish and finish4 are the slots of a chain: what is done with element i, or with the
// four from 4 i on, before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

fn finish4(i: u32, v: vec4<f32>) -> vec4<f32> {
    return v;
}

// forward adds to y where ow is a multiple of 4.
// invocations: n*ceil(oh/rows)*ceil(ow/4), ceil((k/groups)/channels), groups
// trips: (c/groups)*r + channels + looked_up*channels*rows*4
// flops: 2*n*k*min(oh*ow, h*w)*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let tile = place(id.x);
    correlate(tile, wid.y, wid.z, lane);
    let outer = params.k / params.groups;
    if looked_up == 1u {
        // unroll
        for (var i = 0u; i < params.channels * params.rows; i++) {
            done[i] = sum[i];
        }
        for (var k = 0u; k < params.channels; k++) {
            let channel = wid.y * params.channels + k;
            let first = wid.z * outer + min(channel, outer - 1u);
            var more = 0.0;
            if params.biased != 0u { more = bias[first]; }
            for (var t = 0u; t < params.rows; t++) {
                if tile.live & (channel < outer) & (tile.row + t < params.oh) {
                    let i = (((tile.image * params.k + first) * params.oh + tile.row + t) * params.ow + tile.column) / 4u;
                    var v = done[k * params.rows + t] + more;
                    if accumulate { v += y[i]; }
                    if params.rectified != 0u { v = select(vec4<f32>(), v, v > vec4<f32>()); }
                    y[i] = finish4(i, v);
                }
            }
        }
    } else {
        // One channel after the other, for stores written out take drivers long (see conv2d_tiled_weights.wgsl).
        let live = min(params.channels, outer - wid.y * params.channels);
        for (var k = 0u; k < live; k++) {
            let first = wid.z * outer + wid.y * params.channels + k;
            var more = 0.0;
            if params.biased != 0u { more = bias[first]; }
            // unroll
            for (var t = 0u; t < params.rows; t++) {
                if tile.live & (tile.row + t < params.oh) {
                    let i = (((tile.image * params.k + first) * params.oh + tile.row + t) * params.ow + tile.column) / 4u;
                    var v = sum[t] + more;
                    if accumulate { v += y[i]; }
                    if params.rectified != 0u { v = select(vec4<f32>(), v, v > vec4<f32>()); }
                    y[i] = finish4(i, v);
                }
            }
            // unroll
            for (var i = 0u; i < (params.channels - 1u) * params.rows; i++) {
                sum[i] = sum[i + params.rows];
            }
        }
    }
}

// forward_odd is forward for any ow.
// invocations: n*ceil(oh/rows)*ceil(ow/4), ceil((k/groups)/channels), groups
// trips: (c/groups)*r + channels + looked_up*channels*rows*4
// flops: 2*n*k*min(oh*ow, h*w)*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward_odd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let tile = place(id.x);
    correlate(tile, wid.y, wid.z, lane);
    let outer = params.k / params.groups;
    if looked_up == 1u {
        // unroll
        for (var i = 0u; i < params.channels * params.rows; i++) {
            done[i] = sum[i];
        }
        for (var k = 0u; k < params.channels; k++) {
            let channel = wid.y * params.channels + k;
            let first = wid.z * outer + min(channel, outer - 1u);
            var more = 0.0;
            if params.biased != 0u { more = bias[first]; }
            for (var t = 0u; t < params.rows; t++) {
                let i = ((tile.image * params.k + first) * params.oh + tile.row + t) * params.ow + tile.column;
                for (var j = 0u; j < 4u; j++) {
                    if tile.live & (channel < outer) & (tile.row + t < params.oh) & (tile.column + j < params.ow) {
                        var v = done[k * params.rows + t][j] + more;
                        if accumulate { v += y1[i + j]; }
                        if params.rectified != 0u { v = select(0.0, v, v > 0.0); }
                        y1[i + j] = finish(i + j, v);
                    }
                }
            }
        }
    } else {
        // One channel after the other, for stores written out take drivers long (see conv2d_tiled_weights.wgsl).
        let live = min(params.channels, outer - wid.y * params.channels);
        for (var k = 0u; k < live; k++) {
            let first = wid.z * outer + wid.y * params.channels + k;
            var more = 0.0;
            if params.biased != 0u { more = bias[first]; }
            // unroll
            for (var t = 0u; t < params.rows; t++) {
                let i = ((tile.image * params.k + first) * params.oh + tile.row + t) * params.ow + tile.column;
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    if tile.live & (tile.row + t < params.oh) & (tile.column + j < params.ow) {
                        var v = sum[t][j] + more;
                        if accumulate { v += y1[i + j]; }
                        if params.rectified != 0u { v = select(0.0, v, v > 0.0); }
                        y1[i + j] = finish(i + j, v);
                    }
                }
            }
            // unroll
            for (var i = 0u; i < (params.channels - 1u) * params.rows; i++) {
                sum[i] = sum[i + params.rows];
            }
        }
    }
}
