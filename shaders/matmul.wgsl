// matmul: y += A B, where A is a or its transpose and B is b or its transpose, over columns k0 <= k < k1 of A.
// a, a4 are (batch, m, k), b, b4 are (batch, k, n), the last two exchanged where transposed, y is (batch, m, n);
// a4 is a and b4 is b as vec4.
// A stride of 0 uses one matrix for the whole batch.
// test: batch=2, m=9, n=12, k=8, k0=0, k1=8, transpose_a=0, transpose_b=0, stride_a=72, stride_b=96, a4=a, b4=b

struct Params {
    batch: u32, m: u32, n: u32, k: u32, k0: u32, k1: u32,
    transpose_a: u32, transpose_b: u32, stride_a: u32, stride_b: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const block: u32 = 16u;
const rows: u32 = 8u;
const quads: u32 = 2u; // of 4 columns
const accumulate: bool = true;

// load_a is A[row][k..k+3], 0 beyond k1.
fn load_a(base: u32, row: u32, k: u32) -> vec4<f32> {
    let r = min(row, params.m - 1u);
    if params.transpose_a == 0u && params.k % 4u == 0u {
        return a4[(base + r * params.k + k) >> 2u];
    }
    var v = vec4<f32>();
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = min(k + j, params.k1 - 1u);
        let index = select(r * params.k + at, at * params.m + r, params.transpose_a != 0u);
        v[j] = select(0.0, a[base + index], k + j < params.k1);
    }
    return v;
}

// load_b is the four rows B[k..k+3][column..column+3], as the columns of a matrix.
fn load_b(base: u32, k: u32, column: u32) -> mat4x4<f32> {
    var v = mat4x4<f32>();
    if params.transpose_b == 0u && params.n % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(k + j, params.k1 - 1u) * params.n + min(column, params.n - min(params.n, 4u))) >> 2u];
        }
        return v;
    }
    if params.transpose_b != 0u && params.k % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(column + j, params.n - 1u) * params.k + k) >> 2u];
        }
        return transpose(v);
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = min(k + j, params.k1 - 1u);
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let c = min(column + i, params.n - 1u);
            v[j][i] = b[base + select(at * params.n + c, c * params.k + at, params.transpose_b != 0u)];
        }
    }
    return v;
}

// finish is the slot of a chain: what is done with element i before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

// invocations: ceil(n/8), ceil(m/8), batch
// trips: ceil((k1-k0)/4)
// flops: 2*batch*m*n*(k1-k0)
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let column = id.x * 4u * quads;
    let row = wid.y * rows;
    if column >= params.n { return; }
    let base_a = wid.z * params.stride_a;
    let base_b = wid.z * params.stride_b;
    var sum: array<vec4<f32>, 16>;
    for (var k = params.k0; k < params.k1; k += 4u) {
        var right: array<mat4x4<f32>, 2>;
        // unroll
        for (var q = 0u; q < quads; q++) {
            right[q] = load_b(base_b, k, column + 4u * q);
        }
        // unroll
        for (var r = 0u; r < rows; r++) {
            let left = load_a(base_a, row + r, k);
            // unroll
            for (var q = 0u; q < quads; q++) {
                sum[r * 2u + q] += right[q] * left;
            }
        }
    }
    // unroll
    for (var r = 0u; r < rows; r++) {
        // unroll
        for (var q = 0u; q < quads; q++) {
            // unroll
            for (var j = 0u; j < 4u; j++) {
                let c = column + 4u * q + j;
                if (row + r < params.m) & (c < params.n) {
                    let i = (wid.z * params.m + row + r) * params.n + c;
                    var v = sum[r * 2u + q][j];
                    if accumulate { v += y[i]; }
                    y[i] = finish(i, v);
                }
            }
        }
    }
}
