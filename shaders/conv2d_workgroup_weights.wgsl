// conv2d_workgroup_weights: dw[k,c,r,s] = sum over n,i,j of dy[n,k,i,j] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x is (n, c, h, w), dy, dy4 are (n, k, oh, ow), part is (splits, k*(c/groups)*r*s + biased*k): a split holds the sum,
// and behind it the sum of dy, the gradient of the bias, over as many spots of dy as the next one, a multiple of 4.
// dy4 is dy as vec4.
//
// Of each group, dw is the product of two matrices: dy, k/groups by n*oh*ow spots, and what the (c/groups)*r*s taps
// meet there. Tiles are as in conv2d_workgroup.wgsl.
// test: n=3, c=22, h=9, w=10, k=131, r=3, s=2, oh=5, ow=10, stride_h=2, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=2, groups=1, biased=1, splits=2, rectified=0, dy4=dy

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32, splits: u32,
    rectified: u32, // of conv2d.wgsl
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> dy4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;

// The tile of a workgroup, channels by taps, and the spots that it holds at a time: powers of two.
const tile_m: u32 = 128u;
const tile_n: u32 = 128u;
const tile_k: u32 = 16u; // at most 32
// Of an invocation.
const rows: u32 = 8u;
const columns: u32 = 8u;

const across: u32 = tile_n / columns; // invocations: a multiple of 8
const down: u32 = tile_m / rows;      // and of 4
const size: u32 = across * down;      // a multiple of tile_n, so that an invocation brings one column
const quads: u32 = tile_k / 4u;       // of spots
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
var<private> offset: array<f32, turns_left>; // sums of dy
var<private> held_right: array<vec4<f32>, turns_right>;

// slot is where left keeps a quad of spots of a row. The order differs from one quad to
// the next, so that neighbours meet different banks, whether they store along the spots
// or down the rows.
fn slot(row: u32, quad: u32) -> u32 { return quad * tile_m + (row ^ (quad * (8u / quads))); }

struct Tile { split: u32, group: u32, row: u32, column: u32, live: bool }

// place takes the tiles in bands, as conv2d_workgroup.wgsl does.
fn place(which: u32, channels: u32, taps: u32) -> Tile {
    let tiles_m = (channels + tile_m - 1u) / tile_m;
    let tiles_n = (taps + tile_n - 1u) / tile_n;
    let last = tiles_m * tiles_n * params.groups * params.splits - 1u;
    let at = min(which, last);
    let matrix = at / (tiles_m * tiles_n);
    let within = at % (tiles_m * tiles_n);
    let top = within / (band * tiles_n) * band;
    let height = min(tiles_m - top, band);
    let i = within % (band * tiles_n);
    return Tile(matrix / params.groups, matrix % params.groups, (top + i % height) * tile_m, i / height * tile_n, which <= last);
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

// Tap is one in a channel of x, that much below and right of a spot.
struct Tap { channel: u32, row: i32, column: i32 }

// see is what a tap meets at 4 spots from k on, 0 outside, and from stop on.
fn see(at: Tap, k: u32, stop: u32) -> vec4<f32> {
    var v = vec4<f32>();
    var image = k / (params.oh * params.ow);
    var row = k / params.ow % params.oh;
    var column = k % params.ow;
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let iy = u32(i32(row * params.stride_h) + at.row); // large where negative
        let ix = u32(i32(column * params.stride_w) + at.column);
        let inside = (iy < params.h) & (ix < params.w) & (k + j < stop);
        let one = x[select(0u, ((image * params.c + at.channel) * params.h + iy) * params.w + ix, inside)];
        v[j] = select(0.0, one, inside);
        column = select(column + 1u, 0u, column + 1u == params.ow);
        row += select(0u, 1u, column == 0u);
        image += select(0u, 1u, row == params.oh);
        row = select(row, 0u, row == params.oh);
    }
    return v;
}

// gradient is dy of a channel at 4 spots from k on, 0 from stop on.
fn gradient(channel: u32, k: u32, stop: u32) -> vec4<f32> {
    let plane = params.oh * params.ow;
    let spots = params.n * plane;
    var v = vec4<f32>();
    if plane % 4u == 0u {
        let at = min(k, spots - min(spots, 4u));
        v = dy4[((at / plane * params.k + channel) * plane + at % plane) / 4u];
        return select(vec4<f32>(), v, k < stop);
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = min(k + j, spots - 1u);
        let one = dy[(at / plane * params.k + channel) * plane + at % plane];
        v[j] = select(0.0, one, k + j < stop);
    }
    return v;
}

// workgroups: ceil((k/groups)/tile_m)*ceil((c/groups)*r*s/tile_n)*groups*splits
// trips: ceil((ceil(n*oh*ow/splits)+3)/tile_k)+1
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(size)
fn split(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let taps = inner * params.r * params.s;
    let spots = params.n * params.oh * params.ow;
    let tile = place(wid.y * groups.x + wid.x, outer, taps);
    let at = lane(local);
    let mine = min(tile.column + local % tile_n, taps - 1u);
    let tap = Tap(
        tile.group * inner + mine / (params.r * params.s),
        i32(mine / params.s % params.r * params.dilation_h) - params.pad_h,
        i32(mine % params.s * params.dilation_w) - params.pad_w,
    );
    let each = ((spots + params.splits - 1u) / params.splits + 3u) / 4u * 4u;
    let start = min(tile.split * each, spots);
    let stop = min(start + each, spots);
    // The next spots are on their way while those before are multiplied.
    for (var k = start; k < stop + tile_k; k += tile_k) {
        workgroupBarrier();
        if k > start {
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
        if k < stop {
            // unroll
            for (var t = 0u; t < turns_left; t++) {
                let i = local + t * size;
                let v = gradient(tile.group * outer + min(tile.row + i / quads, outer - 1u), k + 4u * (i % quads), stop);
                held_left[t] = v;
                if params.biased != 0u { offset[t] += (v.x + v.y) + (v.z + v.w); }
            }
            // unroll
            for (var t = 0u; t < turns_right; t++) {
                held_right[t] = see(tap, k + 4u * ((local + t * size) / tile_n), stop);
            }
        }
        if k > start { multiply(at); }
    }
    let weights = params.k * taps;
    let first = tile.split * (weights + params.biased * params.k);
    // unroll
    for (var q = 0u; q < columns; q++) {
        let column = tile.column + at.x + q * across;
        // unroll
        for (var p = 0u; p < rows; p++) {
            let row = tile.row + at.y + p * down;
            if tile.live & (row < outer) & (column < taps) {
                part[first + (tile.group * outer + row) * taps + column] = sum[p * columns + q];
            }
        }
    }
    if params.biased != 0u {
        workgroupBarrier();
        // unroll
        for (var t = 0u; t < turns_left; t++) {
            let i = local + t * size;
            if (left_size % size == 0u) | (i < left_size) { left[slot(i / quads, i % quads)] = vec4<f32>(offset[t]); }
        }
        workgroupBarrier();
        let row = tile.row + local;
        if tile.live & (tile.column == 0u) & (local < tile_m) & (row < outer) {
            var v = 0.0;
            // unroll
            for (var j = 0u; j < quads; j++) {
                v += left[slot(local, j)].x;
            }
            part[first + weights + tile.group * outer + row] = v;
        }
    }
}
