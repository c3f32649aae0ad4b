// groups: rates = (rate * factor, decay) of each group of parameters.
// rate is (1), table, rates are (count, 2): the factor, or the rate, and the weight decay.

struct Params { count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rate: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> rates: array<f32>;

const block: u32 = 64u;

// invocations: count
@compute @workgroup_size(block)
fn rates_of(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.count { return; }
    rates[2u * i] = rate[0] * table[2u * i];
    rates[2u * i + 1u] = table[2u * i + 1u];
}
