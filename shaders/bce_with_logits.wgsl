// bce_with_logits: loss = mean of (1 - w) x + (1 + (p - 1) w) log(1 + exp(-x)), with w = wanted, p = weight.
// x, wanted, dx are (n), part is (ceil(n/chunk)): sums of a chunk each, dloss is (1).
// weight is (weights), repeated along x.
// test: n=67, chunk=16, weights=5

struct Params { n: u32, chunk: u32, weights: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> wanted: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
@group(0) @binding(5) var<storage, read> dloss: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// exponential is exp(x) within 1 ULP for x <= 88, and 0 below the smallest
// normal number (Moshier, Cephes, expf): x = k log 2 + r.
fn exponential(x: f32) -> f32 {
    let v = clamp(x, -87.33655, 88.0);
    let k = floor(v * 1.44269504 + 0.5);
    let r = (v - k * 0.693359375) + k * 2.12194440e-4;
    var q = 1.9875691500e-4;
    q = q * r + 1.3981999507e-3;
    q = q * r + 8.3334519073e-3;
    q = q * r + 4.1665795894e-2;
    q = q * r + 1.6666665459e-1;
    q = q * r + 5.0000001201e-1;
    q = q * (r * r) + r + 1.0;
    return select(0.0, q * bitcast<f32>((i32(k) + 127) << 23u), x >= -87.33655);
}

// logarithm is log(1 + e) for e in [0, 1]: 2 artanh(s) with s = e / (2 + e), at
// most 1/3, by its series.
fn logarithm(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let z = s * s;
    var p = 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    return 2.0 * (s + s * (z * p));
}

// logistic is 1 / (1 + exp(-v)); the exponential never exceeds 1.
fn logistic(v: f32) -> f32 {
    let e = exponential(-abs(v));
    return select(e, 1.0, v >= 0.0) / (1.0 + e);
}

// share is what the logarithm counts for.
fn share(i: u32) -> f32 {
    return 1.0 + (weight[i % params.weights] - 1.0) * wanted[i];
}

// invocations: ceil(n/chunk)
// trips: chunk
// flops: 40*n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let start = i * params.chunk;
    if start >= params.n { return; }
    var sum = 0.0;
    for (var k = start; k < min(start + params.chunk, params.n); k++) {
        let log = max(-x[k], 0.0) + logarithm(exponential(-abs(x[k])));
        sum += (1.0 - wanted[k]) * x[k] + share(k) * log;
    }
    part[i] = sum;
}

// invocations: n
// flops: 30*n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = ((1.0 - wanted[i]) - share(i) * logistic(-x[i])) * (dloss[0] / f32(params.n));
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
