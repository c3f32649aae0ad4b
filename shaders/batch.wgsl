// batch: rows (step mod steps) * batch ... of a set, in order or in the epoch's random order, as numbers.
// clock is (2), pixels is (ceil(count*size/4)), words of four bytes, labels is (count), numbers, ints are (count, size),
// x, ids are (batch, size), y is (batch).
// test: count=23, size=5, batch=7, steps=3, first=1, bits=3, shuffled=1, scale=0.0625

struct Params { count: u32, size: u32, batch: u32, steps: u32, first: u32, bits: u32, shuffled: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read> pixels: array<u32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<u32>;
@group(0) @binding(6) var<storage, read> numbers: array<f32>;
@group(0) @binding(7) var<storage, read> ints: array<u32>;
@group(0) @binding(8) var<storage, read_write> ids: array<u32>;

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

// source is the row of the set that is row i of the batch.
fn source(i: u32) -> u32 {
    let row = params.first + (clock[0] % params.steps) * params.batch + i;
    if params.shuffled == 0u { return row; }
    return permute(row, clock[1], clock[0] / params.steps);
}

// quad is the bytes of elements first ... first + 3 of a row.
fn quad(row: u32, first: u32) -> u32 {
    let at = row * params.size + first;
    let last = min(at + 3u, params.count * params.size - 1u);
    // Elements at ... at+3 are in two words at most.
    let low = pixels[at / 4u] >> (8u * (at % 4u));
    if params.size % 4u == 0u { return low; }
    let high = pixels[last / 4u];
    return select(low, low | (high << (32u - 8u * max(at % 4u, 1u))), at % 4u != 0u);
}

// load is four elements of a row an invocation; the first of a row brings its label.
// invocations: batch*ceil(size/4)
// trips: 1000
@compute @workgroup_size(block)
fn load(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let quads = (params.size + 3u) / 4u;
    if i >= params.batch * quads { return; }
    let to = i / quads;
    let row = source(to);
    if i % quads == 0u { y[to] = labels[row]; }
    let first = i % quads * 4u;
    let bytes = quad(row, first);
    // unroll
    for (var j = 0u; j < 4u; j++) {
        if params.size % 4u == 0u || first + j < params.size {
            x[to * params.size + first + j] = f32((bytes >> (8u * j)) & 255u) * params.scale;
        }
    }
}

// load_bytes is load without labels.
// invocations: batch*ceil(size/4)
// trips: 1000
@compute @workgroup_size(block)
fn load_bytes(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let quads = (params.size + 3u) / 4u;
    if i >= params.batch * quads { return; }
    let to = i / quads;
    let first = i % quads * 4u;
    let bytes = quad(source(to), first);
    // unroll
    for (var j = 0u; j < 4u; j++) {
        if params.size % 4u == 0u || first + j < params.size {
            x[to * params.size + first + j] = f32((bytes >> (8u * j)) & 255u) * params.scale;
        }
    }
}

// invocations: batch*size
// trips: 1000
@compute @workgroup_size(block)
fn load_floats(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch * params.size { return; }
    x[i] = numbers[source(i / params.size) * params.size + i % params.size];
}

// invocations: batch*size
// trips: 1000
@compute @workgroup_size(block)
fn load_ints(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.batch * params.size { return; }
    ids[i] = ints[source(i / params.size) * params.size + i % params.size];
}
