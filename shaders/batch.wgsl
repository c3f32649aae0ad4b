// batch: rows (step mod steps) * batch ... of a set, in order or in the epoch's random order, as numbers.
// clock is (2), pixels is (ceil(count*size/4)), words of four bytes, labels is (ceil(count/4)), likewise,
// rows, picked are (batch), x is (batch, size), y is (batch).
// test: count=23, size=5, batch=7, steps=3, first=1, bits=3, shuffled=1, scale=0.0625

struct Params { count: u32, size: u32, batch: u32, steps: u32, first: u32, bits: u32, shuffled: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read> pixels: array<u32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> rows: array<u32>;
@group(0) @binding(5) var<storage, read> picked: array<u32>;
@group(0) @binding(6) var<storage, read_write> x: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<u32>;

const block: u32 = 64u;

// scramble is one word of pcg4d (Jarzynski and Olano 2020) of the key and a half.
fn scramble(seed: u32, epoch: u32, turn: u32, half: u32) -> u32 {
    var v = vec4<u32>(seed, epoch, turn, half) * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v = v ^ (v >> vec4<u32>(16u));
    v.x += v.y * v.w;
    return v.x;
}

// permute is a four-round Feistel network over 2*bits bits, walked until it
// comes back below the size of the set (Black and Rogaway 2002): a permutation.
fn permute(i: u32, seed: u32, epoch: u32) -> u32 {
    let mask = (1u << params.bits) - 1u;
    var k = i;
    loop {
        var left = k >> params.bits;
        var right = k & mask;
        for (var turn = 0u; turn < 4u; turn++) {
            let swap = left ^ (scramble(seed, epoch, turn, right) & mask);
            left = right;
            right = swap;
        }
        k = (left << params.bits) | right;
        if k < params.count { break; }
    }
    return k;
}

// pick finds the rows, and their labels.
// invocations: batch
// trips: 1000
@compute @workgroup_size(block)
fn pick(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch { return; }
    let epoch = clock[0] / params.steps;
    let at = params.first + (clock[0] % params.steps) * params.batch + i;
    var row = at;
    if params.shuffled != 0u { row = permute(at, clock[1], epoch); }
    rows[i] = row;
    y[i] = (labels[row / 4u] >> (8u * (row % 4u))) & 255u;
}

// invocations: batch*size
@compute @workgroup_size(block)
fn images(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch * params.size { return; }
    let at = picked[i / params.size] * params.size + i % params.size;
    let byte = (pixels[at / 4u] >> (8u * (at % 4u))) & 255u;
    x[i] = f32(byte) * params.scale;
}
