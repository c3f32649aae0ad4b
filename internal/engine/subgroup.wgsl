// subgroup: how subgroups divide a workgroup.

@group(0) @binding(0) var<storage, read_write> size: array<u32>;

@compute @workgroup_size(64)
fn measure(
    @builtin(local_invocation_index) i: u32, @builtin(subgroup_size) lanes: u32, @builtin(subgroup_invocation_id) lane: u32,
) {
    size[i] = select(0u, lanes, lane == i % lanes);
}
