// winograd4: y[n,k] += b[k] + A^T (sum over c of (G w[k,c] G^T) * (B^T d[n,c] B)) A, element by element products, for tiles d of
// 6 x 6 pixels of x: a convolution of 3 x 3 taps and stride 1, 4 x 4 outputs at a time (Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, 2015, F(4 x 4, 3 x 3)).
// x is (n, c, h, w), weight is (k, c, 3, 3), bias is (k), y is (n, k, oh, ow), U is (36, k, c), V is (36, c, n*ceil(oh/4)*ceil(ow/4)),
// M is (36, k, n*ceil(oh/4)*ceil(ow/4)): M = U V, a batch of 36 matrix products, is matmul's.
// Where turned, weight is (c, k, 3, 3) with its taps in the opposite order, as for an input gradient.
// test: n=2, c=3, h=7, w=6, k=5, oh=7, ow=6, pad_h=1, pad_w=1, biased=1, rectified=0, turned=0

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, oh: u32, ow: u32,
    pad_h: i32, pad_w: i32,
    biased: u32,
    rectified: u32, // y = max(y, 0) at the end
    turned: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> M: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> U: array<f32>;
@group(0) @binding(7) var<storage, read_write> V: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;
const sixth: f32 = 1.0 / 6.0;
const twentyfourth: f32 = 1.0 / 24.0;

// filters: U = G w G^T.
// invocations: k*c
@compute @workgroup_size(block)
fn filters(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.k * params.c { return; }
    var g: array<f32, 9>;
    // unroll
    for (var j = 0u; j < 9u; j++) {
        if params.turned != 0u {
            g[j] = weight[(i % params.c * params.k + i / params.c) * 9u + 8u - j];
        } else {
            g[j] = weight[i * 9u + j];
        }
    }
    var t: array<f32, 18>;
    var to: array<f32, 36>;
    // unroll
    for (var s = 0u; s < 3u; s++) {
        t[s] = 0.25 * g[s];
        t[3u + s] = -sixth * (g[s] + g[3u + s] + g[6u + s]);
        t[6u + s] = -sixth * (g[s] - g[3u + s] + g[6u + s]);
        t[9u + s] = twentyfourth * (g[s] + 2.0 * g[3u + s] + 4.0 * g[6u + s]);
        t[12u + s] = twentyfourth * (g[s] - 2.0 * g[3u + s] + 4.0 * g[6u + s]);
        t[15u + s] = g[6u + s];
    }
    // unroll
    for (var r = 0u; r < 6u; r++) {
        to[6u * r] = 0.25 * t[3u * r];
        to[6u * r + 1u] = -sixth * (t[3u * r] + t[3u * r + 1u] + t[3u * r + 2u]);
        to[6u * r + 2u] = -sixth * (t[3u * r] - t[3u * r + 1u] + t[3u * r + 2u]);
        to[6u * r + 3u] = twentyfourth * (t[3u * r] + 2.0 * t[3u * r + 1u] + 4.0 * t[3u * r + 2u]);
        to[6u * r + 4u] = twentyfourth * (t[3u * r] - 2.0 * t[3u * r + 1u] + 4.0 * t[3u * r + 2u]);
        to[6u * r + 5u] = t[3u * r + 2u];
    }
    // unroll
    for (var e = 0u; e < 36u; e++) {
        U[e * params.k * params.c + i] = to[e];
    }
}

// tiles of all images, in each of which they lie row by row.
fn tiles() -> u32 {
    return params.n * ((params.oh + 3u) / 4u) * ((params.ow + 3u) / 4u);
}

// inputs: V = B^T d B.
// invocations: c*n*ceil(oh/4)*ceil(ow/4)
@compute @workgroup_size(block)
fn inputs(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.c * tiles() { return; }
    let down = (params.oh + 3u) / 4u;
    let across = (params.ow + 3u) / 4u;
    let tile = i % tiles();
    let plane = (tile / (down * across) * params.c + i / tiles()) * params.h * params.w;
    let top = i32(tile / across % down * 4u) - params.pad_h;
    let left = i32(tile % across * 4u) - params.pad_w;
    var d: array<f32, 36>;
    // unroll
    for (var r = 0u; r < 6u; r++) {
        let iy = top + i32(r);
        let line = plane + u32(clamp(iy, 0, i32(params.h) - 1)) * params.w;
        // unroll
        for (var s = 0u; s < 6u; s++) {
            let ix = left + i32(s);
            let seen = x[line + u32(clamp(ix, 0, i32(params.w) - 1))];
            d[6u * r + s] = select(0.0, seen, (iy >= 0) & (iy < i32(params.h)) & (ix >= 0) & (ix < i32(params.w)));
        }
    }
    var t: array<f32, 36>;
    var to: array<f32, 36>;
    // unroll
    for (var s = 0u; s < 6u; s++) {
        t[s] = 4.0 * d[s] - 5.0 * d[12u + s] + d[24u + s];
        t[6u + s] = (d[18u + s] + d[24u + s]) - 4.0 * (d[6u + s] + d[12u + s]);
        t[12u + s] = (d[24u + s] - d[18u + s]) + 4.0 * (d[6u + s] - d[12u + s]);
        t[18u + s] = (d[24u + s] - d[12u + s]) + 2.0 * (d[18u + s] - d[6u + s]);
        t[24u + s] = (d[24u + s] - d[12u + s]) - 2.0 * (d[18u + s] - d[6u + s]);
        t[30u + s] = 4.0 * d[6u + s] - 5.0 * d[18u + s] + d[30u + s];
    }
    // unroll
    for (var r = 0u; r < 6u; r++) {
        to[6u * r] = 4.0 * t[6u * r] - 5.0 * t[6u * r + 2u] + t[6u * r + 4u];
        to[6u * r + 1u] = (t[6u * r + 3u] + t[6u * r + 4u]) - 4.0 * (t[6u * r + 1u] + t[6u * r + 2u]);
        to[6u * r + 2u] = (t[6u * r + 4u] - t[6u * r + 3u]) + 4.0 * (t[6u * r + 1u] - t[6u * r + 2u]);
        to[6u * r + 3u] = (t[6u * r + 4u] - t[6u * r + 2u]) + 2.0 * (t[6u * r + 3u] - t[6u * r + 1u]);
        to[6u * r + 4u] = (t[6u * r + 4u] - t[6u * r + 2u]) - 2.0 * (t[6u * r + 3u] - t[6u * r + 1u]);
        to[6u * r + 5u] = 4.0 * t[6u * r + 1u] - 5.0 * t[6u * r + 3u] + t[6u * r + 5u];
    }
    // unroll
    for (var e = 0u; e < 36u; e++) {
        V[e * params.c * tiles() + i] = to[e];
    }
}

// finish is the slot of a chain: what is done with element i before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

// outputs: y += b + A^T M A.
// invocations: k*n*ceil(oh/4)*ceil(ow/4)
@compute @workgroup_size(block)
fn outputs(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.k * tiles() { return; }
    let down = (params.oh + 3u) / 4u;
    let across = (params.ow + 3u) / 4u;
    let tile = i % tiles();
    let k = i / tiles();
    let plane = (tile / (down * across) * params.k + k) * params.oh * params.ow;
    var m: array<f32, 36>;
    // unroll
    for (var e = 0u; e < 36u; e++) {
        m[e] = M[e * params.k * tiles() + i];
    }
    var t: array<f32, 24>;
    var to: array<f32, 16>;
    // unroll
    for (var s = 0u; s < 6u; s++) {
        let even = m[6u + s] + m[12u + s];
        let odd = m[6u + s] - m[12u + s];
        let even2 = m[18u + s] + m[24u + s];
        let odd2 = m[18u + s] - m[24u + s];
        t[s] = m[s] + even + even2;
        t[6u + s] = odd + 2.0 * odd2;
        t[12u + s] = even + 4.0 * even2;
        t[18u + s] = odd + 8.0 * odd2 + m[30u + s];
    }
    // unroll
    for (var r = 0u; r < 4u; r++) {
        let even = t[6u * r + 1u] + t[6u * r + 2u];
        let odd = t[6u * r + 1u] - t[6u * r + 2u];
        let even2 = t[6u * r + 3u] + t[6u * r + 4u];
        let odd2 = t[6u * r + 3u] - t[6u * r + 4u];
        to[4u * r] = t[6u * r] + even + even2;
        to[4u * r + 1u] = odd + 2.0 * odd2;
        to[4u * r + 2u] = even + 4.0 * even2;
        to[4u * r + 3u] = odd + 8.0 * odd2 + t[6u * r + 5u];
    }
    var more = 0.0;
    if params.biased != 0u { more = bias[k]; }
    // unroll
    for (var r = 0u; r < 4u; r++) {
        // unroll
        for (var s = 0u; s < 4u; s++) {
            let row = tile / across % down * 4u + r;
            let column = tile % across * 4u + s;
            if (row < params.oh) & (column < params.ow) {
                let at = plane + row * params.ow + column;
                var sum = to[4u * r + s] + more;
                if accumulate { sum += y[at]; }
                if params.rectified != 0u { sum = select(0.0, sum, sum > 0.0); }
                y[at] = finish(at, sum);
            }
        }
    }
}
