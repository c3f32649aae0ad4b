// watch: found = min(found, place) where any x is infinite or NaN.
// x is (n), found is (1): 0xffffffff before anything is found.
// test: n=67, place=1

struct Params { n: u32, place: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> found: array<atomic<u32>>;

const block: u32 = 64u;

// look looks at the bits, for compilers may take it that every number is finite. The
// lowest place is the same in any order.
// invocations: n
@compute @workgroup_size(block)
fn look(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.n { return; }
    if (bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u { atomicMin(&found[0], params.place); }
}
