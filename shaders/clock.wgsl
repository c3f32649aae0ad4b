// clock: step = step + 1.
// clock is (2): the step and the seed.

struct Params { by: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> clock: array<u32>;

// invocations: 1
@compute @workgroup_size(1)
fn tick() {
    clock[0] = clock[0] + params.by;
}
