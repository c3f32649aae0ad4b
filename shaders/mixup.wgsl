// mixup: y[i] = l x[i] + (1-l) x[i+1], the first after the last; loss = l a + (1-l) b, with l a random number of the table.
// x, y are (batch, size), clock is (2): the step and the seed, table is (count), labels, partner are (batch),
// a, b, loss, dloss, da, db are (1): a is the loss of the labels, b that of the partners, those of x[i+1].
// test: batch=5, size=7, stream=1, count=3

struct Params { batch: u32, size: u32, stream: u32, count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> labels: array<u32>;
@group(0) @binding(6) var<storage, read_write> partner: array<u32>;
@group(0) @binding(7) var<storage, read> a: array<f32>;
@group(0) @binding(8) var<storage, read> b: array<f32>;
@group(0) @binding(9) var<storage, read_write> loss: array<f32>;
@group(0) @binding(10) var<storage, read> dloss: array<f32>;
@group(0) @binding(11) var<storage, read_write> da: array<f32>;
@group(0) @binding(12) var<storage, read_write> db: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// share is l, the same for the whole batch, by the first number of pcg4d (Jarzynski
// and Olano 2020), as that of compute.RandomBits.
fn share() -> f32 {
    var v = vec4<u32>(clock[1], params.stream, clock[0], 0u) * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    return table[(v.x + v.y * v.w) % params.count];
}

// invocations: batch*size
@compute @workgroup_size(block)
fn images(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let n = params.batch * params.size;
    if i >= n { return; }
    let l = share();
    y[i] = l * x[i] + (1.0 - l) * x[(i + params.size) % n];
}

// invocations: batch
@compute @workgroup_size(block)
fn targets(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch { return; }
    partner[i] = labels[(i + 1u) % params.batch];
}

// invocations: 1
@compute @workgroup_size(1)
fn forward() {
    let l = share();
    loss[0] = l * a[0] + (1.0 - l) * b[0];
}

// invocations: 1
@compute @workgroup_size(1)
fn backward() {
    let l = share();
    var d = l * dloss[0];
    var e = (1.0 - l) * dloss[0];
    if accumulate {
        d += da[0];
        e += db[0];
    }
    da[0] = d;
    db[0] = e;
}
