// log: y = log(max(x, 2^-126)), element by element.
// x, y, dy, dx are (n).

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

const smallest: f32 = 0x1p-126;

// logarithm of a normal number (Moshier, Cephes, logf): x = m 2^e with m between
// sqrt(1/2) and sqrt(2), and a polynomial of m - 1.
fn logarithm(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let above = (bits & 0x7fffffu) > 0x3504f3u; // m over sqrt(2)
    let e = f32(i32(bits >> 23u) - select(127, 126, above));
    let r = bitcast<f32>((bits & 0x7fffffu) | select(0x3f800000u, 0x3f000000u, above)) - 1.0;
    let z = r * r;
    var p = 7.0376836292e-2;
    p = p * r - 1.1514610310e-1;
    p = p * r + 1.1676998740e-1;
    p = p * r - 1.2420140846e-1;
    p = p * r + 1.4249322787e-1;
    p = p * r - 1.6668057665e-1;
    p = p * r + 2.0000714765e-1;
    p = p * r - 2.4999993993e-1;
    p = p * r + 3.3333331174e-1;
    let rest = p * r * z - e * 2.12194440e-4 - 0.5 * z;
    return (r + rest) + e * 0.693359375;
}

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = logarithm(max(x[i], smallest));
}

// invocations: n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = select(0.0, dy[i] / max(x[i], smallest), x[i] >= smallest);
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
