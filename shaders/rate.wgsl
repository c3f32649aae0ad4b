// rate: rate = base * (1 - fall * min(step, steps) / steps).
// clock is (2): the step and the seed; rate is (1).
// test: steps=4, base=0.1, fall=0.9

struct Params { steps: u32, base: f32, fall: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read_write> rate: array<f32>;

// invocations: 1
@compute @workgroup_size(1)
fn linear() {
    rate[0] = params.base * (1.0 - params.fall * (f32(min(clock[0], params.steps)) / f32(params.steps)));
}
