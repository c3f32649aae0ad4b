// matvec: y += A B as in matmul, for at most 8 rows of A: slices of k, added up at the end.
// a, a4 are (batch, m, k), b, b4 are (batch, k, n), the last two exchanged where transposed, y is (batch, m, n);
// a4 is a and b4 is b as vec4. A stride of 0 uses one matrix for the whole batch. k0 is a multiple of 4.
// test: batch=2, m=3, n=132, k=40, k0=0, k1=40, transpose_a=0, transpose_b=0, stride_a=120, stride_b=5280, across=8, a4=a, b4=b

struct Params {
    batch: u32, m: u32, n: u32, k: u32, k0: u32, k1: u32,
    transpose_a: u32, transpose_b: u32, stride_a: u32, stride_b: u32,
    across: u32, // invocations side by side, of 4 columns each: a power of two, at most block
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const block: u32 = 128u;
const accumulate: bool = true;

var<workgroup> parts: array<vec4<f32>, block>;

// load_a is A[row][k..k+3], 0 from k1 on.
fn load_a(base: u32, row: u32, k: u32) -> vec4<f32> {
    if params.transpose_a == 0u && params.k % 4u == 0u {
        return a4[(base + row * params.k + k) / 4u];
    }
    var v = vec4<f32>();
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = min(k + j, params.k1 - 1u);
        let index = select(row * params.k + at, at * params.m + row, params.transpose_a != 0u);
        v[j] = select(0.0, a[base + index], k + j < params.k1);
    }
    return v;
}

// load_b is the four rows B[k..k+3][column..column+3], as the columns of a matrix. What
// lies beyond the last column is not stored, and the last row is taken again.
fn load_b(base: u32, k: u32, column: u32) -> mat4x4<f32> {
    var v = mat4x4<f32>();
    if params.transpose_b == 0u && params.n % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(k + j, params.k1 - 1u) * params.n + min(column, params.n - min(params.n, 4u))) / 4u];
        }
        return v;
    }
    if params.transpose_b != 0u && params.k % 4u == 0u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            v[j] = b4[(base + min(column + j, params.n - 1u) * params.k + k) / 4u];
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

// workgroups: ceil(n/(4*across)), 1, batch
// trips: ceil((k1-k0)*across/(4*block))+7*m
// flops: 2*batch*m*n*(k1-k0)
@compute @workgroup_size(block)
fn forward(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) wid: vec3<u32>) {
    let column = 4u * (wid.x * params.across + local % params.across);
    let slice = local / params.across;
    let base_a = wid.z * params.stride_a;
    let base_b = wid.z * params.stride_b;
    var sum: array<vec4<f32>, 8>;
    for (var k = params.k0 + 4u * slice; k < params.k1; k += 4u * (block / params.across)) {
        let right = load_b(base_b, k, column);
        // unroll
        for (var r = 0u; r < params.m; r++) {
            sum[r] += right * load_a(base_a, r, k);
        }
    }
    // unroll
    for (var r = 0u; r < params.m; r++) {
        workgroupBarrier();
        parts[local] = sum[r];
        // Halves are added until one slice is left.
        for (var half = block / 2u; half >= params.across; half /= 2u) {
            workgroupBarrier();
            if local < half { parts[local] += parts[local + half]; }
        }
        // unroll
        for (var j = 0u; j < 4u; j++) {
            if (slice == 0u) & (column + j < params.n) {
                let i = (wid.z * params.m + r) * params.n + column + j;
                var v = parts[local][j];
                if accumulate { v += y[i]; }
                y[i] = finish(i, v);
            }
        }
    }
}
