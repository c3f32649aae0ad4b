// dropout: y = x * scale where a random number keeps it, else 0.
// x, y, dy, dx are (n), clock is (2): the step and the seed.
// test: n=67, stream=1, threshold=5033165, scale=1.5

struct Params {
    n: u32,
    stream: u32,
    threshold: u32, // an element is dropped below threshold / 2^24
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// random is the first number of pcg4d (Jarzynski and Olano 2020), as that of
// compute.RandomBits.
fn random(counters: vec4<u32>) -> u32 {
    var v = counters * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    return v.x + v.y * v.w;
}

fn kept(i: u32) -> bool {
    return (random(vec4<u32>(clock[1], params.stream, clock[0], i)) >> 8u) >= params.threshold;
}

// invocations: n
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    y[i] = select(0.0, x[i] * params.scale, kept(i));
}

// invocations: n
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = select(0.0, dy[i] * params.scale, kept(i));
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
