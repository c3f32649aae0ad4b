// elu: y = x where x > 0, else alpha * (exp(x) - 1), element by element.
// x, y, dy, dx are (n).

struct Params { n: u32, alpha: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// exponentials are exp(x) and exp(x) - 1 within 1 ULP for x <= 0, from
// exp(r) - 1 with x = k log 2 + r (Moshier, Cephes, expf).
fn exponentials(x: f32) -> vec2<f32> {
    let v = clamp(x, -87.33655, 0.0);
    let k = floor(v * 1.44269504 + 0.5);
    let r = (v - k * 0.693359375) + k * 2.12194440e-4;
    var q = 1.9875691500e-4;
    q = q * r + 1.3981999507e-3;
    q = q * r + 8.3334519073e-3;
    q = q * r + 4.1665795894e-2;
    q = q * r + 1.6666665459e-1;
    q = q * r + 5.0000001201e-1;
    q = q * (r * r) + r;
    let power = bitcast<f32>((i32(k) + 127) << 23u);
    return vec2<f32>(select(0.0, (q + 1.0) * power, x >= -87.33655), q * power + (power - 1.0));
}

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = select(params.alpha * exponentials(x[i]).y, x[i], x[i] > 0.0);
}

// invocations: n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = select(params.alpha * exponentials(x[i]).x * dy[i], dy[i], x[i] > 0.0);
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
