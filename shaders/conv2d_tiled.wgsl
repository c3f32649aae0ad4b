// conv2d_tiled: y[n,k,i,j] = b[k] + sum over c,r,s of w[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, x1 are (n, c, h, w), weight is (k, c/groups, r, s), bias is (k), y, y1 are (n, k, oh, ow);
// x1 is x and y1 is y by single elements. packing, packed are (groups, ceil(k/groups/channels), c/groups, r, s, channels): the
// weights of the output channels that an invocation computes together, padded with zeros.
//
// The input gradient of a convolution with stride 1 is such a sum too: over dy in place of x, with inputs and
// outputs exchanged, the weights turned round and padding (r-1) dilation - pad. Then y is dx.
// test: n=2, c=2, h=5, w=8, k=3, r=3, s=3, oh=5, ow=8, stride_h=1, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=1, groups=1, biased=1, rectified=1, turned=0, channels=4, rows=2, quads=3, shift=3, x1=x, y1=y

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32,
    rectified: u32, // y = max(y, 0) at the end
    turned: u32,   // 1 for an input gradient
    channels: u32, // output channels of one invocation, a multiple of 4
    rows: u32,     // output rows of one invocation, of 4 columns each
    quads: u32,    // of columns of x that 4 columns of y and a row of taps meet
    shift: u32,    // columns before them, so that quads start at multiples of 4
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> packing: array<f32>;
@group(0) @binding(5) var<storage, read> packed: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> y1: array<f32>;

const block: u32 = 32u;
const accumulate: bool = true;

var<private> sum: array<vec4<f32>, 64>; // channels by rows
var<private> seen: array<vec4<f32>, 32>; // rows by quads

// pack orders the weights. Those of an input gradient have the shape (c, k/groups, r, s).
// invocations: groups*ceil((k/groups)/channels)*channels*(c/groups)*r*s
@compute @workgroup_size(block)
fn pack(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let blocks = (outer + params.channels - 1u) / params.channels;
    let taps = params.r * params.s;
    if i >= params.groups * blocks * params.channels * inner * taps { return; }
    let tap = i / params.channels % taps;
    let c = i / (params.channels * taps) % inner;
    let k = i / (params.channels * taps * inner) % blocks * params.channels + i % params.channels;
    let group = i / (params.channels * taps * inner * blocks);
    var v = 0.0;
    if k < outer {
        if params.turned != 0u {
            v = weight[((group * inner + c) * outer + k) * taps + taps - 1u - tap];
        } else {
            v = weight[((group * outer + k) * inner + c) * taps + tap];
        }
    }
    packing[i] = v;
}

// Conditions are joined by & here: && branches, and hundreds of branches take some
// drivers minutes to compile.

// quad is four columns of row iy of a channel of x, zero outside; ix is a
// multiple of 4 where w is.
fn quad(plane: u32, iy: i32, ix: i32) -> vec4<f32> {
    let inside = (iy >= 0) & (iy < i32(params.h));
    let line = (plane + u32(clamp(iy, 0, i32(params.h) - 1))) * params.w;
    if params.w % 4u == 0u {
        let v = x[(line + u32(clamp(ix, 0, max(0, i32(params.w) - 4)))) >> 2u];
        return select(vec4<f32>(), v, inside & (ix >= 0) & (ix < i32(params.w)));
    }
    var v: vec4<f32>;
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = ix + i32(j);
        let one = x1[line + u32(clamp(at, 0, i32(params.w) - 1))];
        v[j] = select(0.0, one, inside & (at >= 0) & (at < i32(params.w)));
    }
    return v;
}

struct Tile { image: u32, row: u32, column: u32, live: bool }

// place is where invocation i works. Those beyond the last do its work again, and
// write nothing: that is cheaper on processors than lanes that stop early.
fn place(i: u32) -> Tile {
    let across = (params.ow + 3u) / 4u;
    let down = (params.oh + params.rows - 1u) / params.rows;
    let at = min(i, params.n * down * across - 1u);
    return Tile(at / (down * across), at / across % down * params.rows, at % across * 4u, i == at);
}

// correlate sets sum for the tile, a block of output channels and a group.
fn correlate(tile: Tile, which: u32, group: u32) {
    let inner = params.c / params.groups;
    let blocks = (params.k / params.groups + params.channels - 1u) / params.channels;
    let left = i32(tile.column * params.stride_w) - params.pad_w - i32(params.shift);
    // One row of taps further down, all rows of the tile but the last have been
    // seen by their neighbours.
    let rolls = params.stride_h == params.dilation_h;
    var at = (group * blocks + which) * inner * params.r * params.s * (params.channels / 4u);
    for (var c = 0u; c < inner; c++) {
        let plane = (tile.image * params.c + group * inner + c) * params.h;
        let top = i32(tile.row * params.stride_h) - params.pad_h;
        if rolls {
            // unroll
            for (var t = 0u; t < params.rows - 1u; t++) {
                // unroll
                for (var q = 0u; q < params.quads; q++) {
                    seen[(t + 1u) * params.quads + q] = quad(plane, top + i32(t * params.stride_h), left + i32(4u * q));
                }
            }
        }
        for (var r = 0u; r < params.r; r++) {
            // unroll
            for (var t = 0u; t < params.rows; t++) {
                let iy = top + i32(t * params.stride_h + r * params.dilation_h);
                // unroll
                for (var q = 0u; q < params.quads; q++) {
                    if rolls && t + 1u < params.rows {
                        seen[t * params.quads + q] = seen[(t + 1u) * params.quads + q];
                    } else {
                        seen[t * params.quads + q] = quad(plane, iy, left + i32(4u * q));
                    }
                }
            }
            // unroll
            for (var s = 0u; s < params.s; s++) {
                // unroll
                for (var b = 0u; b < params.channels / 4u; b++) {
                    let w = packed[at];
                    at++;
                    // unroll
                    for (var t = 0u; t < params.rows; t++) {
                        var v: vec4<f32>;
                        // unroll
                        for (var j = 0u; j < 4u; j++) {
                            v[j] = seen[t * params.quads + (params.shift + s * params.dilation_w + j * params.stride_w) / 4u][(params.shift + s * params.dilation_w + j * params.stride_w) % 4u];
                        }
                        // unroll
                        for (var k = 0u; k < 4u; k++) {
                            sum[(4u * b + k) * params.rows + t] += w[k] * v;
                        }
                    }
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
// trips: (c/groups)*r
// flops: 2*n*k*min(oh*ow, h*w)*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let tile = place(id.x);
    correlate(tile, wid.y, wid.z);
    let outer = params.k / params.groups;
    // unroll
    for (var k = 0u; k < params.channels; k++) {
        let channel = wid.y * params.channels + k;
        let first = wid.z * outer + min(channel, outer - 1u);
        var more = 0.0;
        if params.biased != 0u { more = bias[first]; }
        // unroll
        for (var t = 0u; t < params.rows; t++) {
            if tile.live & (channel < outer) & (tile.row + t < params.oh) {
                let i = (((tile.image * params.k + first) * params.oh + tile.row + t) * params.ow + tile.column) / 4u;
                var v = sum[k * params.rows + t] + more;
                if accumulate { v += y[i]; }
                if params.rectified != 0u { v = select(vec4<f32>(), v, v > vec4<f32>()); }
                y[i] = finish4(i, v);
            }
        }
    }
}

// forward_odd is forward for any ow.
// invocations: n*ceil(oh/rows)*ceil(ow/4), ceil((k/groups)/channels), groups
// trips: (c/groups)*r
// flops: 2*n*k*min(oh*ow, h*w)*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward_odd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let tile = place(id.x);
    correlate(tile, wid.y, wid.z);
    let outer = params.k / params.groups;
    // unroll
    for (var k = 0u; k < params.channels; k++) {
        let channel = wid.y * params.channels + k;
        let first = wid.z * outer + min(channel, outer - 1u);
        var more = 0.0;
        if params.biased != 0u { more = bias[first]; }
        // unroll
        for (var t = 0u; t < params.rows; t++) {
            let i = ((tile.image * params.k + first) * params.oh + tile.row + t) * params.ow + tile.column;
            // unroll
            for (var j = 0u; j < 4u; j++) {
                if tile.live & (channel < outer) & (tile.row + t < params.oh) & (tile.column + j < params.ow) {
                    var v = sum[k * params.rows + t][j] + more;
                    if accumulate { v += y1[i + j]; }
                    if params.rectified != 0u { v = select(0.0, v, v > 0.0); }
                    y1[i + j] = finish(i + j, v);
                }
            }
        }
    }
}
