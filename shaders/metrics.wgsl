// metrics: hit = 1 where the first largest logit is the label's; counts += (sum of hit, rows); total += loss * rows.
// logits is (rows, classes), labels, hit, hits are (rows), loss, total are (1), counts is (2).
// test: rows=9, classes=5

struct Params { rows: u32, classes: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> hit: array<u32>;
@group(0) @binding(4) var<storage, read> hits: array<u32>;
@group(0) @binding(5) var<storage, read> loss: array<f32>;
@group(0) @binding(6) var<storage, read_write> counts: array<u32>;
@group(0) @binding(7) var<storage, read_write> total: array<f32>;

const block: u32 = 64u;

// invocations: rows
// trips: classes
@compute @workgroup_size(block)
fn judge(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.y * groups.x * block + id.x;
    if row >= params.rows { return; }
    var best = 0u;
    for (var c = 1u; c < params.classes; c++) {
        if logits[row * params.classes + c] > logits[row * params.classes + best] { best = c; }
    }
    hit[row] = select(0u, 1u, best == labels[row]);
}

// invocations: 1
// trips: rows
@compute @workgroup_size(1)
fn tally() {
    var sum = 0u;
    for (var row = 0u; row < params.rows; row++) { sum += hits[row]; }
    counts[0] = counts[0] + sum;
    counts[1] = counts[1] + params.rows;
    total[0] = total[0] + loss[0] * f32(params.rows);
}

// sum is tally where there are no labels.
// invocations: 1
@compute @workgroup_size(1)
fn sum() {
    counts[1] = counts[1] + params.rows;
    total[0] = total[0] + loss[0] * f32(params.rows);
}
