// matmul_subgroup: y += A B, where A is a or its transpose and B is b or its transpose, over columns k0 <= k < k1 of A.
// a is (batch, m, k), b, b4 are (batch, k, n), the last two exchanged where transposed, y is (batch, m, n);
// b4 is b as vec4. A stride of 0 uses one matrix for the whole batch.
//
// A workgroup is one subgroup, whose invocations compute columns of y next to each other, and the same rows.
// Each loads a few elements of A, which the others get from its registers.
// test: batch=2, m=9, n=12, k=8, k0=0, k1=8, transpose_a=0, transpose_b=0, stride_a=72, stride_b=96, b4=b

struct Params {
    batch: u32, m: u32, n: u32, k: u32, k0: u32, k1: u32,
    transpose_a: u32, transpose_b: u32, stride_a: u32, stride_b: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const block: u32 = 8u; // a multiple of 4
const rows: u32 = 16u; // a multiple of block/4
const quads: u32 = 2u; // of 4 columns, 1 or 2
// looked_up is 1 for a loop that looks the sums up by their index. It is for SwiftShader: lavapipe compiles that in
// four times the time of writing each out, which takes it four times that of a loop that moves them.
const looked_up: u32 = 0u;
const accumulate: bool = true;

var<private> sum: array<vec4<f32>, 64>; // rows by quads
var<private> done: array<vec4<f32>, 64>; // sum, to look up
var<private> left: array<f32, 16>; // what the invocation loads of rows by 4 columns of A

// load_b is the four rows B[k..k+3][column..column+3], as the columns of a matrix, 0 beyond k1.
fn load_b(base: u32, k: u32, column: u32) -> mat4x4<f32> {
    var v = mat4x4<f32>();
    if params.transpose_b != 0u && params.k % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(column + j, params.n - 1u) * params.k + k) >> 2u];
        }
        v = transpose(v);
    } else {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            let at = min(k + j, params.k1 - 1u);
            if params.transpose_b == 0u && params.n % 4u == 0u {
                v[j] = b4[(base + at * params.n + min(column, params.n - min(params.n, 4u))) >> 2u];
            } else {
                // unroll
                for (var i = 0u; i < 4u; i++) {
                    let c = min(column + i, params.n - 1u);
                    v[j][i] = b[base + select(at * params.n + c, c * params.k + at, params.transpose_b != 0u)];
                }
            }
        }
    }
    if params.k1 % 4u != params.k0 % 4u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = select(vec4<f32>(), v[j], k + j < params.k1);
        }
    }
    return v;
}

// finish is the slot of a chain: what is done with element i before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

// invocations: ceil(n/(4*quads)), ceil(m/rows), batch
// trips: ceil((k1-k0)/4) + rows + looked_up*rows*quads*4
// flops: 2*batch*m*n*(k1-k0)
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let column = id.x * 4u * quads;
    let row = wid.y * rows;
    let base_a = wid.z * params.stride_a;
    let base_b = wid.z * params.stride_b;
    for (var k = params.k0; k < params.k1; k += 4u) {
        // Element 4 r + j of A[row..row+rows-1][k..k+3] is loaded by invocation (4 r + j) % block.
        // unroll
        for (var i = 0u; i < rows * 4u / block; i++) {
            let r = min(row + i * (block / 4u) + (lane >> 2u), params.m - 1u);
            let at = min(k + (lane & 3u), params.k1 - 1u);
            left[i] = a[base_a + select(r * params.k + at, at * params.m + r, params.transpose_a != 0u)];
            if params.k1 % 4u != params.k0 % 4u {
                left[i] = select(0.0, left[i], k + (lane & 3u) < params.k1);
            }
        }
        let right = load_b(base_b, k, column);
        var further = right;
        if quads == 2u { further = load_b(base_b, k, column + 4u); }
        // unroll
        for (var r = 0u; r < rows; r++) {
            var a0 = vec4<f32>();
            var a1 = vec4<f32>();
            var a2 = vec4<f32>();
            var a3 = vec4<f32>();
            if block == 4u { // a subgroup is one quad: drivers for such hand round in fewer instructions within a quad
                a0 = vec4<f32>(quadBroadcast(left[r], 0u));
                a1 = vec4<f32>(quadBroadcast(left[r], 1u));
                a2 = vec4<f32>(quadBroadcast(left[r], 2u));
                a3 = vec4<f32>(quadBroadcast(left[r], 3u));
            } else {
                a0 = vec4<f32>(subgroupBroadcast(left[(r * 4u + 0u) / block], (r * 4u + 0u) % block));
                a1 = vec4<f32>(subgroupBroadcast(left[(r * 4u + 1u) / block], (r * 4u + 1u) % block));
                a2 = vec4<f32>(subgroupBroadcast(left[(r * 4u + 2u) / block], (r * 4u + 2u) % block));
                a3 = vec4<f32>(subgroupBroadcast(left[(r * 4u + 3u) / block], (r * 4u + 3u) % block));
            }
            sum[r * quads] = fma(right[3], a3, fma(right[2], a2, fma(right[1], a1, fma(right[0], a0, sum[r * quads]))));
            if quads == 2u { sum[r * quads + 1u] = fma(further[3], a3, fma(further[2], a2, fma(further[1], a1, fma(further[0], a0, sum[r * quads + 1u])))); }
        }
    }
    if looked_up == 1u {
        // unroll
        for (var i = 0u; i < rows * quads; i++) {
            done[i] = sum[i];
        }
        for (var i = 0u; i < rows * quads * 4u; i++) {
            let r = row + i / (4u * quads);
            let c = column + i % (4u * quads);
            if (r < params.m) & (c < params.n) {
                let to = (wid.z * params.m + r) * params.n + c;
                var v = done[i / 4u][i % 4u];
                if accumulate { v += y[to]; }
                y[to] = finish(to, v);
            }
        }
    } else {
        // One row after the other, as channels in conv2d_tiled_weights.wgsl.
        let live = min(rows, params.m - row);
        for (var r = 0u; r < live; r++) {
            // unroll
            for (var q = 0u; q < quads; q++) {
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    let c = column + 4u * q + j;
                    if c < params.n {
                        let i = (wid.z * params.m + row + r) * params.n + c;
                        var v = sum[q][j];
                        if accumulate { v += y[i]; }
                        y[i] = finish(i, v);
                    }
                }
            }
            // unroll
            for (var i = 0u; i < (rows - 1u) * quads; i++) {
                sum[i] = sum[i + quads];
            }
        }
    }
}
