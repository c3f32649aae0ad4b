// clip: dw = min(max(dw, -most), most), element by element; NaN stays NaN, so that it is found.
// dw is (n).

struct Params { n: u32, most: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> dw: array<f32>;

const block: u32 = 64u;

// each: n
// invocations: n
// flops: 2*n
@compute @workgroup_size(block)
fn value(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    let d = dw[i];
    // by the bits, for compilers may take it that no number is NaN
    dw[i] = select(min(max(d, -params.most), params.most), d, (bitcast<u32>(d) & 0x7fffffffu) > 0x7f800000u);
}
