// matmul_workgroup: y += A B as in matmul, by tiles of A and B that a workgroup shares.
// a, a4 are (batch, m, k), b, b4 are (batch, k, n), the last two exchanged where transposed;
// a4 is a and b4 is b as vec4. A stride of 0 uses one matrix for the whole batch.
// y is (splits, batch, m, n): split s is of k0 + s part <= k < k0 + (s+1) part, as far as k < k1.
// k0 and part are multiples of 4.
// test: batch=2, m=131, n=132, k=24, k0=0, k1=24, transpose_a=0, transpose_b=0, stride_a=3144, stride_b=3168, splits=2, part=16, a4=a, b4=b

struct Params {
    batch: u32, m: u32, n: u32, k: u32, k0: u32, k1: u32,
    transpose_a: u32, transpose_b: u32, stride_a: u32, stride_b: u32, splits: u32, part: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// The tile of y of a workgroup, and the columns of A that it holds at a time: powers of two.
const tile_m: u32 = 128u;
const tile_n: u32 = 128u;
const tile_k: u32 = 16u;
// Of an invocation: multiples of 4.
const rows: u32 = 8u;
const columns: u32 = 8u;
const accumulate: bool = true;

const across: u32 = tile_n / columns; // invocations: a multiple of 8
const down: u32 = tile_m / rows;      // and of 4
const size: u32 = across * down;
// Quads are of 4 rows of A, or 4 columns of B; blocks of 4 by 4 numbers.
const quads_m: u32 = tile_m / 4u;
const quads_n: u32 = tile_n / 4u;
const quads_k: u32 = tile_k / 4u;
const row_quads: u32 = rows / 4u;
const column_quads: u32 = columns / 4u;
const blocks_a: u32 = quads_m * quads_k;
const blocks_b: u32 = quads_n * quads_k;
const turns: u32 = (blocks_a + blocks_b + size - 1u) / size; // blocks that an invocation brings
const left_size: u32 = tile_k * quads_m;
const right_size: u32 = tile_k * quads_n;
const band: u32 = 8u; // tiles of y, see forward

var<workgroup> left: array<vec4<f32>, left_size>;
var<workgroup> right: array<vec4<f32>, right_size>;

// slot is where a tile keeps a quad at k. The order differs from one four k to the
// next, so that neighbours, which store at k, k+4, k+8 and k+12, meet different banks:
// padding would do that too, but 128 by 128 by 16 fill the 16 KiB.
fn slot(quad: u32, k: u32, quads: u32) -> u32 {
    return k * quads + (quad ^ (k / 4u * 2u)) % quads;
}

// block is the quad, and the first k, of block i. Neighbours read along k, or along the quads.
fn block(i: u32, quads: u32, along_k: bool) -> vec2<u32> {
    if along_k { return vec2<u32>(i / quads_k, i % quads_k * 4u); }
    return vec2<u32>(i % quads, i / quads * 4u);
}

struct Tile { base_a: u32, base_b: u32, row: u32, column: u32, stop: u32 }

// load_a is A[row..row+3][k..k+3], a column for each k. What lies beyond the last row
// meets no element that is stored.
fn load_a(base: u32, row: u32, k: u32) -> mat4x4<f32> {
    var v = mat4x4<f32>();
    if params.transpose_a == 0u && params.k % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = a4[(base + min(row + j, params.m - 1u) * params.k + min(k, params.k - min(params.k, 4u))) / 4u];
        }
        return transpose(v);
    }
    if params.transpose_a != 0u && params.m % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = a4[(base + min(k + j, params.k - 1u) * params.m + min(row, params.m - min(params.m, 4u))) / 4u];
        }
        return v;
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = min(k + j, params.k - 1u);
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let r = min(row + i, params.m - 1u);
            v[j][i] = a[base + select(r * params.k + at, at * params.m + r, params.transpose_a != 0u)];
        }
    }
    return v;
}

// load_b is the transpose of B[k..k+3][column..column+3], a column for each k.
fn load_b(base: u32, k: u32, column: u32) -> mat4x4<f32> {
    var v = mat4x4<f32>();
    if params.transpose_b == 0u && params.n % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(k + j, params.k - 1u) * params.n + min(column, params.n - min(params.n, 4u))) / 4u];
        }
        return v;
    }
    if params.transpose_b != 0u && params.k % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(column + j, params.n - 1u) * params.k + min(k, params.k - min(params.k, 4u))) / 4u];
        }
        return transpose(v);
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = min(k + j, params.k - 1u);
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let c = min(column + i, params.n - 1u);
            v[j][i] = b[base + select(at * params.n + c, c * params.k + at, params.transpose_b != 0u)];
        }
    }
    return v;
}

// fetch reads block i of the tiles at k: those of A come first. It is 0 from tile.stop on.
fn fetch(i: u32, tile: Tile, k: u32) -> mat4x4<f32> {
    var v = mat4x4<f32>();
    var first = k;
    if i < blocks_a {
        let at = block(i, quads_m, params.transpose_a == 0u);
        first += at.y;
        v = load_a(tile.base_a, tile.row + 4u * at.x, first);
    } else if i < blocks_a + blocks_b {
        let at = block(i - blocks_a, quads_n, params.transpose_b != 0u);
        first += at.y;
        v = load_b(tile.base_b, first, tile.column + 4u * at.x);
    }
    if (params.k1 - params.k0) % tile_k != 0u || params.part % tile_k != 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = select(vec4<f32>(), v[j], first + j < tile.stop);
        }
    }
    return v;
}

// keep stores block i.
fn keep(i: u32, brought: mat4x4<f32>) {
    var v = brought; // which older compilers let an index run through
    if i < blocks_a {
        let at = block(i, quads_m, params.transpose_a == 0u);
        // unroll
        for (var j = 0u; j < 4u; j++) {
            left[slot(at.x, at.y + j, quads_m)] = v[j];
        }
    } else if i < blocks_a + blocks_b {
        let at = block(i - blocks_a, quads_n, params.transpose_b != 0u);
        // unroll
        for (var j = 0u; j < 4u; j++) {
            right[slot(at.x, at.y + j, quads_n)] = v[j];
        }
    }
}

// finish is the slot of a chain: what is done with element i before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

// forward takes the tiles of y in bands of some rows of them, and down the columns
// within a band: workgroups that run at the same time then read few rows and columns.
// workgroups: ceil(n/tile_n)*ceil(m/tile_m)*batch*splits
// trips: ceil(part/tile_k)
// flops: 2*batch*m*n*(k1-k0)
@compute @workgroup_size(size)
fn forward(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let tiles_m = (params.m + tile_m - 1u) / tile_m;
    let tiles_n = (params.n + tile_n - 1u) / tile_n;
    let which = wid.y * groups.x + wid.x;
    // Workgroups beyond the last do its work again, and write nothing.
    let last = tiles_m * tiles_n * params.batch * params.splits - 1u;
    let at = min(which, last);
    let place = at % (tiles_m * tiles_n);
    let matrix = at / (tiles_m * tiles_n) % params.batch;
    let split = at / (tiles_m * tiles_n * params.batch);
    let top = place / (band * tiles_n) * band;
    let height = min(tiles_m - top, band);
    let within = place % (band * tiles_n);
    let start = params.k0 + split * params.part;
    let tile = Tile(matrix * params.stride_a, matrix * params.stride_b, (top + within % height) * tile_m, within / height * tile_n, min(start + params.part, params.k1));

    // 32 neighbours are 8 across and 4 down: they read 12 different quads at each k.
    let x = local % 8u + local / 32u % (across / 8u) * 8u;
    let y0 = local / 8u % 4u + local / (4u * across) * 4u;

    var sum: array<array<vec4<f32>, column_quads>, rows>;
    var held: array<mat4x4<f32>, turns>;
    // unroll
    for (var t = 0u; t < turns; t++) {
        held[t] = fetch(local + t * size, tile, start);
    }
    for (var k = start; k < tile.stop; k += tile_k) {
        workgroupBarrier();
        // unroll
        for (var t = 0u; t < turns; t++) {
            keep(local + t * size, held[t]);
        }
        workgroupBarrier();
        // The next tiles are on their way while these are multiplied.
        if k + tile_k < tile.stop {
            // unroll
            for (var t = 0u; t < turns; t++) {
                held[t] = fetch(local + t * size, tile, k + tile_k);
            }
        }
        // unroll
        for (var j = 0u; j < tile_k; j++) {
            var l: array<vec4<f32>, row_quads>;
            // unroll
            for (var p = 0u; p < row_quads; p++) {
                l[p] = left[slot(y0 + p * down, j, quads_m)];
            }
            // unroll
            for (var q = 0u; q < column_quads; q++) {
                let r = right[slot(x + q * across, j, quads_n)];
                // unroll
                for (var p = 0u; p < row_quads; p++) {
                    // unroll
                    for (var i = 0u; i < 4u; i++) {
                        sum[4u * p + i][q] += l[p][i] * r;
                    }
                }
            }
        }
    }
    // unroll
    for (var p = 0u; p < row_quads; p++) {
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let row = tile.row + 4u * (y0 + p * down) + i;
            // unroll
            for (var q = 0u; q < column_quads; q++) {
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    let column = tile.column + 4u * (x + q * across) + j;
                    if (which <= last) & (row < params.m) & (column < params.n) {
                        let to = ((split * params.batch + matrix) * params.m + row) * params.n + column;
                        var v = sum[4u * p + i][q][j];
                        if accumulate { v += y[to]; }
                        y[to] = finish(to, v);
                    }
                }
            }
        }
    }
}
