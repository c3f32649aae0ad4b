// builtins: y = f(x), element by element, for the functions that WGSL has built in.
// x, z, y are (n).

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;
const smallest: f32 = 1.17549435e-38;

// invocations: n
@compute @workgroup_size(block)
fn exponential(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = exp(clamp(x[i], -87.0, 88.0));
}

// logarithm of |x|, and 0 where that is subnormal.
// invocations: n
@compute @workgroup_size(block)
fn logarithm(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = select(0.0, log(max(abs(x[i]), smallest)), abs(x[i]) >= smallest);
}

// root of |x|, and 0 where that is subnormal.
// invocations: n
@compute @workgroup_size(block)
fn root(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = select(0.0, sqrt(max(abs(x[i]), smallest)), abs(x[i]) >= smallest);
}

// inverse_root of |x|, and 0 where that is subnormal.
// invocations: n
@compute @workgroup_size(block)
fn inverse_root(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = select(0.0, inverseSqrt(max(abs(x[i]), smallest)), abs(x[i]) >= smallest);
}

// quotient of x and z, and 0 where one of them is outside of 2^-60 ... 2^60.
// invocations: n
@compute @workgroup_size(block)
fn quotient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let a = abs(x[i]);
    let b = abs(z[i]);
    let legal = (a >= 0x1p-60) & (a <= 0x1p60) & (b >= 0x1p-60) & (b <= 0x1p60);
    y[i] = select(0.0, x[i] / select(1.0, z[i], legal), legal);
}
