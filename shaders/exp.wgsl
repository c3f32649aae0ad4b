// exp: y = exp(x), and no more than exp(88.72283), element by element.
// x, y, result, dy, dx are (n); result is y again.

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> result: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// exponential is exp(x) within 1 ULP for x <= 88.72283, and 0 below the smallest
// normal number (Moshier, Cephes, expf): x = k log 2 + r. 2^k is made of two
// factors, for 2^128 is none.
fn exponential(x: f32) -> f32 {
    let v = clamp(x, -87.33655, 88.72283);
    let k = floor(v * 1.44269504 + 0.5);
    let r = (v - k * 0.693359375) + k * 2.12194440e-4;
    var q = 1.9875691500e-4;
    q = q * r + 1.3981999507e-3;
    q = q * r + 8.3334519073e-3;
    q = q * r + 4.1665795894e-2;
    q = q * r + 1.6666665459e-1;
    q = q * r + 5.0000001201e-1;
    q = q * (r * r) + r + 1.0;
    let half = i32(k) / 2;
    q *= bitcast<f32>(u32(half + 127) << 23u);
    return select(0.0, q * bitcast<f32>(u32(i32(k) - half + 127) << 23u), x >= -87.33655);
}

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = exponential(x[i]);
}

// invocations: n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = dy[i] * result[i];
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
