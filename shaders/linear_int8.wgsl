// linear_int8: y[i,o] = b[o] + scale[o] sum over j of q[o,j] x[i,j], where q are bytes with a sign, four to a number.
// x is (rows, c), q is (ceil(c/4), k), scale, bias are (k), y is (rows, k). Number (w, o) of q holds q[o,4w..4w+3], the first
// in the lowest bits, and zeros beyond c.
// test: rows=6, c=7, k=9, biased=1

struct Params { rows: u32, c: u32, k: u32, biased: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> q: array<u32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;
const several: u32 = 4u; // rows of one invocation

// invocations: k*ceil(rows/4)
// trips: ceil(c/4)
// flops: 2*rows*c*k
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.k * ((params.rows + several - 1u) / several) { return; }
    let o = i % params.k;
    let first = i / params.k * several;
    var sum = vec4<f32>();
    for (var w = 0u; w < (params.c + 3u) / 4u; w++) {
        let four = q[w * params.k + o];
        // unroll
        for (var j = 0u; j < 4u; j++) {
            let one = f32(bitcast<i32>(four << (24u - 8u * j)) >> 24u);
            // unroll
            for (var r = 0u; r < several; r++) {
                let seen = x[min(first + r, params.rows - 1u) * params.c + min(4u * w + j, params.c - 1u)];
                sum[r] += one * select(0.0, seen, 4u * w + j < params.c);
            }
        }
    }
    var more = 0.0;
    if params.biased != 0u { more = bias[o]; }
    // unroll
    for (var r = 0u; r < several; r++) {
        if first + r < params.rows {
            y[(first + r) * params.k + o] = scale[o] * sum[r] + more;
        }
    }
}
