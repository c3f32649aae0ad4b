// erf: y = erf(x) = 2/sqrt(pi) * the integral of exp(-t^2) from 0 to x, element by element.
// x, y, dy, dx are (n).

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

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

// beyond is 1 - erf(a/sqrt(2)) for a in [1, 14]: what a normal distribution has
// outside of -a ... a.
fn beyond(a: f32) -> f32 {
    // With t = 1 / (1 + a/2) the quotient is t times a polynomial, fitted for
    // a >= 0.5 to a relative error of 2^-25. A step of Newton makes up for a
    // division that may be off by 2.5 ULP.
    let d = 1.0 + 0.5 * a;
    let t0 = 1.0 / d;
    let t = t0 + t0 * (1.0 - d * t0);
    let s = t - 0.5;
    var p = 0.08104342;
    p = p * s - 0.05923431;
    p = p * s - 0.05951036;
    p = p * s + 0.10827046;
    p = p * s - 0.00388977;
    p = p * s - 0.14689362;
    p = p * s + 0.05759678;
    p = p * s + 0.33140460;
    p = p * s + 0.33620399;
    return 2.0 * exponential(-0.5 * a * a) * (t * p);
}

// middle is erf(a/sqrt(2)) for |a| < 1, by its series (Abramowitz and Stegun
// 26.2.10).
fn middle(a: f32) -> f32 {
    let z = a * a;
    var p = 1.0 / 175472640.0;
    p = p * z - 1.0 / 9676800.0;
    p = p * z + 1.0 / 599040.0;
    p = p * z - 1.0 / 42240.0;
    p = p * z + 1.0 / 3456.0;
    p = p * z - 1.0 / 336.0;
    p = p * z + 1.0 / 40.0;
    p = p * z - 1.0 / 6.0;
    return a * ((p * z + 1.0) * 0.7978845608);
}

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let v = x[i] * 1.4142135624;
    let a = min(abs(v), 14.0);
    let far = 1.0 - beyond(a);
    y[i] = select(select(far, -far, v < 0.0), middle(v), a < 1.0);
}

// invocations: n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let v = clamp(x[i], -10.0, 10.0);
    var d = dy[i] * (exponential(-v * v) * 1.1283791671);
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
