// loss_scale: dw = dw / scale; found = 1 where any dw is infinite or NaN; then scale halves and gate = 0, or scale doubles after interval good steps.
// dw is (n), scale, inverse, unscale, gate are (1), counts, found are (3): good steps, steps that were skipped, bits: 1 for found, 2 for a step that was bad at scale 1.
// test: n=67, interval=3, unscale=inverse, found=counts

struct Params { n: u32, interval: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> unscale: array<f32>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;
@group(0) @binding(3) var<storage, read_write> found: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(6) var<storage, read_write> counts: array<u32>;
@group(0) @binding(7) var<storage, read_write> gate: array<u32>;

const block: u32 = 64u;
const largest: f32 = 16777216.0;

// apply looks at the bits, for compilers may take it that no number is infinite.
// each: n
// invocations: n
// flops: n
@compute @workgroup_size(block)
fn apply(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let d = dw[i];
    if (bitcast<u32>(d) & 0x7f800000u) == 0x7f800000u { atomicOr(&found[2], 1u); }
    dw[i] = d * unscale[0];
}

// settle tells the optimizer whether to go on, and the next step how to scale. Powers of 2 are exact.
// invocations: 1
@compute @workgroup_size(1)
fn settle() {
    let bad = (counts[2] & 1u) != 0u;
    var at_one = counts[2] & 2u;
    var good = select(counts[0] + 1u, 0u, bad);
    var s = scale[0];
    var r = inverse[0];
    if bad {
        if s > 1.0 {
            s = s * 0.5;
            r = r * 2.0;
        } else {
            at_one = 2u;
        }
        counts[1] = counts[1] + 1u;
    } else if good >= params.interval {
        if s < largest {
            s = s * 2.0;
            r = r * 0.5;
        }
        good = 0u;
    }
    scale[0] = s;
    inverse[0] = r;
    counts[0] = good;
    counts[2] = at_one;
    gate[0] = select(1u, 0u, bad);
}
