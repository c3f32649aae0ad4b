// metrics: counts += (rows whose first largest logit is the label's, rows, rows whose label is among the top largest, and, where side is not 0, rows by label and largest logit); total += loss * rows.
// logits is (rows, classes), labels is (rows), loss, total are (1), counts is (3+side*side). A label beyond the classes counts as the last one; of equal logits the first is the largest.
// test: rows=9, classes=5, top=2, side=5

struct Params { rows: u32, classes: u32, top: u32, side: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> total: array<f32>;

const block: u32 = 64u;

// judge counts in whole numbers, of which any order has one sum.
// invocations: rows
// trips: classes
// flops: 2*rows*classes
@compute @workgroup_size(block)
fn judge(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.y * groups.x * block + id.x;
    if row >= params.rows { return; }
    let first = row * params.classes;
    let label = min(labels[row], params.classes - 1u);
    let own = logits[first + label];
    var best = 0u;
    var above = 0u;
    for (var c = 0u; c < params.classes; c++) {
        let v = logits[first + c];
        if v > logits[first + best] { best = c; }
        if v > own || (v == own && c < label) { above++; }
    }
    if best == label { atomicAdd(&counts[0], 1u); }
    atomicAdd(&counts[1], 1u);
    if above < params.top { atomicAdd(&counts[2], 1u); }
    if params.side != 0u { atomicAdd(&counts[3u + label * params.side + best], 1u); }
    if row == 0u { total[0] = total[0] + loss[0] * f32(params.rows); }
}
