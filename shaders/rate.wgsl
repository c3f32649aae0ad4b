// rate: rate = base * ramp * shape(part), where ramp rises to 1 in the first warm steps and part goes from 0 to 1 in the others.
// clock is (2): the step and the seed; rate is (1).
// test: steps=9, warm=2, every=1, base=0.1, fall=0.9, curve=-0.5, first=0.04, up=3.5

struct Params {
    steps: u32,
    warm: u32,
    every: u32, // steps that one rate is kept for
    base: f32,
    fall: f32,  // the part of base that is lost in the end
    curve: f32, // a power, or the logarithm of a factor
    first: f32, // the part of base that one_cycle starts with
    up: f32,    // the step at which one_cycle has reached base
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read_write> rate: array<f32>;

// ramp is what a warm-up leaves of the rate.
fn ramp() -> f32 {
    if clock[0] >= params.warm { return 1.0; }
    return f32(clock[0] + 1u) / f32(params.warm);
}

// done is the number of steps since the warm-up.
fn done() -> u32 {
    return max(min(clock[0], params.steps), params.warm) - params.warm;
}

fn part() -> f32 {
    return f32(done()) / f32(params.steps - params.warm);
}

// left is 1 - part without cancellation.
fn left() -> f32 {
    return f32(params.steps - params.warm - done()) / f32(params.steps - params.warm);
}

// rise is (1 - cos(pi t)) / 2 = (1 + sin x) / 2 with x = pi (t - 1/2): a Taylor series, for
// WGSL knows cos to no more than 2^-11.
fn rise(t: f32) -> f32 {
    let x = 3.14159274 * (t - 0.5);
    let z = x * x;
    let s = x * (1.0 + z * (-0.16666667 + z * (8.3333333e-3 + z * (-1.9841270e-4 + z * (2.7557319e-6 + z * (-2.5052108e-8 + z * 1.6059044e-10))))));
    return 0.5 + 0.5 * s;
}

// invocations: 1
@compute @workgroup_size(1)
fn constant() {
    rate[0] = params.base * ramp();
}

// invocations: 1
@compute @workgroup_size(1)
fn linear() {
    rate[0] = params.base * (1.0 - params.fall * part()) * ramp();
}

// invocations: 1
@compute @workgroup_size(1)
fn cosine() {
    rate[0] = params.base * (1.0 - params.fall * rise(part())) * ramp();
}

// invocations: 1
@compute @workgroup_size(1)
fn exponential() {
    rate[0] = params.base * exp(params.curve * part()) * ramp();
}

// invocations: 1
@compute @workgroup_size(1)
fn steps() {
    rate[0] = params.base * exp(params.curve * f32(done() / params.every)) * ramp();
}

// invocations: 1
@compute @workgroup_size(1)
fn polynomial() {
    let rest = left();
    var power = 0.0;
    if rest > 0.0 { power = exp(params.curve * log(rest)); }
    rate[0] = params.base * (1.0 - params.fall * (1.0 - power)) * ramp();
}

// invocations: 1
@compute @workgroup_size(1)
fn one_cycle() {
    let at = f32(min(clock[0], params.steps - 1u));
    var shape = params.first + (1.0 - params.first) * rise(at / params.up);
    if at > params.up {
        shape = 1.0 - params.fall * rise((at - params.up) / (f32(params.steps - 1u) - params.up));
    }
    rate[0] = params.base * shape;
}
