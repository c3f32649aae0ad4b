// broadcast: y = a + b or y = a * b, with NumPy's broadcasting.
// y, dy, da are (n0, n1, n2, n3, n4, n5); a, b are (n0*n1*n2*n3*n4*n5) or less; element (i0 ... i5)
// of a is a[i0*a0 + ... + i5*a5], and of b likewise: a stride of 0 repeats.
// test: n0=1, n1=1, n2=1, n3=3, n4=5, n5=7, a0=0, a1=0, a2=0, a3=35, a4=7, a5=1, b0=0, b1=0, b2=0, b3=7, b4=0, b5=1

struct Params {
    n0: u32, n1: u32, n2: u32, n3: u32, n4: u32, n5: u32,
    a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a5: u32,
    b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b5: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> da: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

fn count() -> u32 {
    return params.n0 * params.n1 * params.n2 * params.n3 * params.n4 * params.n5;
}

// offsets are where element i of y finds its a and its b.
fn offsets(i: u32) -> vec2<u32> {
    var rest = i;
    var at = (rest % params.n5) * vec2<u32>(params.a5, params.b5);
    rest /= params.n5;
    at += (rest % params.n4) * vec2<u32>(params.a4, params.b4);
    rest /= params.n4;
    at += (rest % params.n3) * vec2<u32>(params.a3, params.b3);
    rest /= params.n3;
    at += (rest % params.n2) * vec2<u32>(params.a2, params.b2);
    rest /= params.n2;
    at += (rest % params.n1) * vec2<u32>(params.a1, params.b1);
    rest /= params.n1;
    return at + rest * vec2<u32>(params.a0, params.b0);
}

// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    let at = offsets(i);
    y[i] = a[at.x] + b[at.y];
}

// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn multiply(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    let at = offsets(i);
    y[i] = a[at.x] * b[at.y];
}

// add_to is add where a is not repeated.
// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn add_to(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    y[i] = a[i] + b[offsets(i).y];
}

// multiply_by is multiply where a is not repeated.
// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn multiply_by(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    y[i] = a[i] * b[offsets(i).y];
}

// add_same is add where neither is repeated.
// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn add_same(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    y[i] = a[i] + b[i];
}

// multiply_same is multiply where neither is repeated.
// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn multiply_same(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    y[i] = a[i] * b[i];
}

// backward_add: da += dy where a is not repeated.
// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn backward_add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    var d = dy[i];
    if accumulate { d += da[i]; }
    da[i] = d;
}

// backward_multiply: da += dy * b where a is not repeated.
// invocations: n0*n1*n2*n3*n4*n5
@compute @workgroup_size(block)
fn backward_multiply(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    var d = dy[i] * b[offsets(i).y];
    if accumulate { d += da[i]; }
    da[i] = d;
}
