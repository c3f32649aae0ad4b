// errors: sums += (loss * rows, sum of |y - wanted|, sum of (y - wanted)^2), rows += the number of rows.
// y, wanted are (n), part, parts are (ceil(n/chunk), 2), loss is (1), sums is (3), counts is (2): 0 and the rows.
// test: n=67, chunk=16, rows=3

struct Params { n: u32, chunk: u32, rows: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> wanted: array<f32>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
@group(0) @binding(4) var<storage, read> parts: array<f32>;
@group(0) @binding(5) var<storage, read> loss: array<f32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;
@group(0) @binding(7) var<storage, read_write> counts: array<u32>;

const block: u32 = 64u;

// invocations: ceil(n/chunk)
// trips: chunk
// flops: 4*n
@compute @workgroup_size(block)
fn measure(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let start = i * params.chunk;
    if start >= params.n { return; }
    var a = 0.0;
    var b = 0.0;
    for (var k = start; k < min(start + params.chunk, params.n); k++) {
        let d = y[k] - wanted[k];
        a += abs(d);
        b += d * d;
    }
    part[2u * i] = a;
    part[2u * i + 1u] = b;
}

// invocations: 1
// trips: ceil(n/chunk)
@compute @workgroup_size(1)
fn tally() {
    var a = 0.0;
    var b = 0.0;
    for (var i = 0u; i < (params.n + params.chunk - 1u) / params.chunk; i++) {
        a += parts[2u * i];
        b += parts[2u * i + 1u];
    }
    sums[0] = sums[0] + loss[0] * f32(params.rows);
    sums[1] = sums[1] + a;
    sums[2] = sums[2] + b;
    counts[1] = counts[1] + params.rows;
}
