// conv2d_workgroup: y[n,k,i,j] += b[k] + sum over c,r,s of w[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, dx are (n, c, h, w), weight, weight4 are (k, c/groups, r, s), bias is (k), y, dy are (n, k, oh, ow);
// weight4 is weight as vec4.
//
// Of each group, y is the product of two matrices: the weights, k/groups by (c/groups)*r*s, and what the taps of x
// meet, by n*oh*ow spots of y. A workgroup computes a tile of it; the second matrix stands nowhere else than in the
// workgroup's memory, a few rows at a time. Likewise dx, over k/groups by r by s taps of dy.
// test: n=3, c=22, h=9, w=10, k=131, r=3, s=2, oh=5, ow=10, stride_h=2, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=2, groups=1, biased=1, splits=1, rectified=0, weight4=weight

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32, splits: u32,
    rectified: u32, // y = max(y, 0) at the end
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> weight4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

// The tile of a workgroup, channels by spots, and the taps that it holds at a time: powers of two.
const tile_m: u32 = 128u;
const tile_n: u32 = 128u;
const tile_k: u32 = 16u; // at most 32
// Of an invocation.
const rows: u32 = 8u;
const columns: u32 = 8u;
const accumulate: bool = true;

const across: u32 = tile_n / columns; // invocations: a multiple of 8
const down: u32 = tile_m / rows;      // and of 4
const size: u32 = across * down;      // a multiple of tile_n, so that an invocation brings one column
const quads: u32 = tile_k / 4u;       // of taps
const left_size: u32 = quads * tile_m;
const right_size: u32 = quads * tile_n;
const turns_left: u32 = (left_size + size - 1u) / size; // quads that an invocation brings
const turns_right: u32 = right_size / size;
const sums: u32 = rows * columns;
const band: u32 = 8u; // tiles, see place

var<workgroup> left: array<vec4<f32>, left_size>;
var<workgroup> right: array<vec4<f32>, right_size>;
var<private> sum: array<f32, sums>;
var<private> held_left: array<vec4<f32>, turns_left>;
var<private> held_right: array<vec4<f32>, turns_right>;

// slot is where left keeps a quad of taps of a row. The order differs from one quad to
// the next, so that neighbours meet different banks, whether they store along the taps
// or down the rows.
fn slot(row: u32, quad: u32) -> u32 { return quad * tile_m + (row ^ (quad * (8u / quads))); }

struct Tile { group: u32, row: u32, column: u32, live: bool }

// place takes the tiles of a group's matrix in bands of some rows of them, and down the
// columns within a band: workgroups that run at the same time then read few of either.
// Workgroups beyond the last do its work again, and write nothing.
fn place(which: u32, channels: u32, spots: u32) -> Tile {
    let tiles_m = (channels + tile_m - 1u) / tile_m;
    let tiles_n = (spots + tile_n - 1u) / tile_n;
    let last = tiles_m * tiles_n * params.groups - 1u;
    let at = min(which, last);
    let within = at % (tiles_m * tiles_n);
    let top = within / (band * tiles_n) * band;
    let height = min(tiles_m - top, band);
    let i = within % (band * tiles_n);
    return Tile(at / (tiles_m * tiles_n), (top + i % height) * tile_m, i / height * tile_n, which <= last);
}

// lane is the first column, and the first row, of an invocation's part of a tile: 32
// neighbours are 8 across and 4 down.
fn lane(local: u32) -> vec2<u32> {
    return vec2<u32>(local % 8u + local / 32u % (across / 8u) * 8u, local / 8u % 4u + local / (4u * across) * 4u);
}

// multiply adds the product of left and right to sum, by fma: it may round once or twice,
// but compilers do not choose anew for each tile, as they may for a * b + c.
fn multiply(at: vec2<u32>) {
    // unroll
    for (var j = 0u; j < quads; j++) {
        var b: array<vec4<f32>, columns>;
        // unroll
        for (var q = 0u; q < columns; q++) {
            b[q] = right[j * tile_n + at.x + q * across];
        }
        // unroll
        for (var p = 0u; p < rows; p++) {
            let a = left[slot(at.y + p * down, j)];
            // unroll
            for (var q = 0u; q < columns; q++) {
                sum[p * columns + q] = fma(a.w, b[q].w, fma(a.z, b[q].z, fma(a.y, b[q].y, fma(a.x, b[q].x, sum[p * columns + q]))));
            }
        }
    }
}

// Spot is where a spot of an image meets tap 0, in an image whose planes begin at plane.
struct Spot { plane: u32, row: i32, column: i32 }

struct Tap { c: u32, r: u32, s: u32 }

fn tap(k: u32) -> Tap { return Tap(k / (params.r * params.s), k / params.s % params.r, k % params.s); }

fn next(t: Tap) -> Tap {
    let s = select(t.s + 1u, 0u, t.s + 1u == params.s);
    let r = t.r + select(0u, 1u, s == 0u);
    return Tap(t.c + select(0u, 1u, r == params.r), select(r, 0u, r == params.r), s);
}

// see is what 4 taps from k on meet in x, 0 outside.
fn see(at: Spot, k: u32) -> vec4<f32> {
    var v = vec4<f32>();
    var t = tap(k);
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let iy = u32(at.row + i32(t.r * params.dilation_h)); // large where negative
        let ix = u32(at.column + i32(t.s * params.dilation_w));
        let inside = (iy < params.h) & (ix < params.w) & (t.c < params.c / params.groups);
        let one = x[select(0u, ((at.plane + t.c) * params.h + iy) * params.w + ix, inside)];
        v[j] = select(0.0, one, inside);
        t = next(t);
    }
    return v;
}

// see_dy is what 4 taps from k on meet in dy: 0 outside, and where the stride steps over.
fn see_dy(at: Spot, k: u32) -> vec4<f32> {
    var v = vec4<f32>();
    var t = tap(k);
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let ty = at.row - i32(t.r * params.dilation_h);
        let tx = at.column - i32(t.s * params.dilation_w);
        let oy = u32(max(ty, 0)) / params.stride_h;
        let ox = u32(max(tx, 0)) / params.stride_w;
        let inside = (ty == i32(oy * params.stride_h)) & (tx == i32(ox * params.stride_w)) & (oy < params.oh) & (ox < params.ow) & (t.c < params.k / params.groups);
        let one = dy[select(0u, ((at.plane + t.c) * params.oh + oy) * params.ow + ox, inside)];
        v[j] = select(0.0, one, inside);
        t = next(t);
    }
    return v;
}

// weigh is the weights of an output channel at 4 taps from k on, 0 beyond the last.
fn weigh(channel: u32, k: u32) -> vec4<f32> {
    let taps = params.c / params.groups * params.r * params.s;
    var v = vec4<f32>();
    if taps % 4u == 0u {
        v = weight4[(channel * taps + min(k, taps - min(taps, 4u))) / 4u];
        return select(vec4<f32>(), v, k < taps);
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let one = weight[channel * taps + min(k + j, taps - 1u)];
        v[j] = select(0.0, one, k + j < taps);
    }
    return v;
}

// weigh_turned is the weights of an input channel at 4 taps of dy from k on, likewise.
fn weigh_turned(group: u32, channel: u32, k: u32) -> vec4<f32> {
    let outer = params.k / params.groups;
    var v = vec4<f32>();
    var t = tap(k);
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let one = weight[(((group * outer + min(t.c, outer - 1u)) * (params.c / params.groups) + channel) * params.r + t.r) * params.s + t.s];
        v[j] = select(0.0, one, t.c < outer);
        t = next(t);
    }
    return v;
}

// finish is the slot of a chain: what is done with element i before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

// forward brings weights along the taps, as they lie in memory.
// workgroups: ceil((k/groups)/tile_m)*ceil(n*oh*ow/tile_n)*groups
// trips: ceil((c/groups)*r*s/tile_k)+1
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(size)
fn forward(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let outer = params.k / params.groups;
    let taps = params.c / params.groups * params.r * params.s;
    let plane = params.oh * params.ow;
    let spots = params.n * plane;
    let tile = place(wid.y * groups.x + wid.x, outer, spots);
    let at = lane(local);
    let mine = min(tile.column + local % tile_n, spots - 1u);
    let spot = Spot(
        mine / plane * params.c + tile.group * (params.c / params.groups),
        i32(mine / params.ow % params.oh * params.stride_h) - params.pad_h,
        i32(mine % params.ow * params.stride_w) - params.pad_w,
    );
    // The next taps are on their way while those before are multiplied.
    for (var k = 0u; k < taps + tile_k; k += tile_k) {
        workgroupBarrier();
        if k > 0u {
            // unroll
            for (var t = 0u; t < turns_left; t++) {
                let i = local + t * size;
                if (left_size % size == 0u) | (i < left_size) { left[slot(i / quads, i % quads)] = held_left[t]; }
            }
            // unroll
            for (var t = 0u; t < turns_right; t++) {
                right[local + t * size] = held_right[t];
            }
        }
        workgroupBarrier();
        if k < taps {
            // unroll
            for (var t = 0u; t < turns_left; t++) {
                let i = local + t * size;
                let row = min(tile.row + i / quads, outer - 1u);
                held_left[t] = weigh(tile.group * outer + row, k + 4u * (i % quads));
            }
            // unroll
            for (var t = 0u; t < turns_right; t++) {
                held_right[t] = see(spot, k + 4u * ((local + t * size) / tile_n));
            }
        }
        if k > 0u { multiply(at); }
    }
    // unroll
    for (var q = 0u; q < columns; q++) {
        let column = tile.column + at.x + q * across;
        // unroll
        for (var p = 0u; p < rows; p++) {
            let row = tile.row + at.y + p * down;
            if tile.live & (row < outer) & (column < spots) {
                let channel = tile.group * outer + row;
                let i = (column / plane * params.k + channel) * plane + column % plane;
                var v = sum[p * columns + q];
                if params.biased != 0u { v += bias[channel]; }
                if accumulate { v += y[i]; }
                if params.rectified != 0u { v = select(0.0, v, v > 0.0); }
                y[i] = finish(i, v);
            }
        }
    }
}

// backward_x brings weights down the input channels, which lie side by side but for the
// taps of one.
// workgroups: ceil((c/groups)/tile_m)*ceil(n*h*w/tile_n)*groups
// trips: ceil((k/groups)*r*s/tile_k)+1
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(size)
fn backward_x(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let inner = params.c / params.groups;
    let taps = params.k / params.groups * params.r * params.s;
    let plane = params.h * params.w;
    let spots = params.n * plane;
    let tile = place(wid.y * groups.x + wid.x, inner, spots);
    let at = lane(local);
    let mine = min(tile.column + local % tile_n, spots - 1u);
    let spot = Spot(
        mine / plane * params.k + tile.group * (params.k / params.groups),
        i32(mine / params.w % params.h) + params.pad_h,
        i32(mine % params.w) + params.pad_w,
    );
    for (var k = 0u; k < taps + tile_k; k += tile_k) {
        workgroupBarrier();
        if k > 0u {
            // unroll
            for (var t = 0u; t < turns_left; t++) {
                let i = local + t * size;
                if (left_size % size == 0u) | (i < left_size) { left[slot(i % tile_m, i / tile_m)] = held_left[t]; }
            }
            // unroll
            for (var t = 0u; t < turns_right; t++) {
                right[local + t * size] = held_right[t];
            }
        }
        workgroupBarrier();
        if k < taps {
            // unroll
            for (var t = 0u; t < turns_left; t++) {
                let i = local + t * size;
                let row = min(tile.row + i % tile_m, inner - 1u);
                held_left[t] = weigh_turned(tile.group, row, k + 4u * (i / tile_m));
            }
            // unroll
            for (var t = 0u; t < turns_right; t++) {
                held_right[t] = see_dy(spot, k + 4u * ((local + t * size) / tile_n));
            }
        }
        if k > 0u { multiply(at); }
    }
    // unroll
    for (var q = 0u; q < columns; q++) {
        let column = tile.column + at.x + q * across;
        // unroll
        for (var p = 0u; p < rows; p++) {
            let row = tile.row + at.y + p * down;
            if tile.live & (row < inner) & (column < spots) {
                let i = (column / plane * params.c + tile.group * inner + row) * plane + column % plane;
                var v = sum[p * columns + q];
                if accumulate { v += dx[i]; }
                dx[i] = finish(i, v);
            }
        }
    }
}
