// ema: e = e + (1 - d)(w - e), d = decay, or where warm is not 0 the smaller one of decay and (1 + t) / (10 + t), t = clock[0].
// w, e, x, y are (n), clock is (2): the updates so far and the seed. swap exchanges x and y.
// test: n=67, warm=1, decay=0.9

struct Params { n: u32, warm: u32, decay: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> e: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;

// each: n
// invocations: n
// flops: 6*n
@compute @workgroup_size(block)
fn update(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    var d = params.decay;
    if params.warm != 0u {
        let t = f32(clock[0]);
        d = min(d, (1.0 + t) / (10.0 + t));
    }
    e[i] = e[i] + (1.0 - d) * (w[i] - e[i]);
}

// each: n
// invocations: n
@compute @workgroup_size(block)
fn swap(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let v = x[i];
    x[i] = y[i];
    y[i] = v;
}
