// max_pool2d_pairs: y = the largest x of each window of 2 x 2, two windows an invocation; at = where it is in its plane.
// Gated, the gradient goes only where gate > 0: through the ReLU before. h is even and w a multiple of 4.
// x, gate, dx are (planes, h, w), y, at, taken, dy are (planes, h/2, w/2).
// test: planes=1, h=2, w=4, gated=1

struct Params { planes: u32, h: u32, w: u32, gated: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> at: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> taken: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read> dy: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dx: array<vec4<f32>>;

const block: u32 = 64u;
const accumulate: bool = true;

// upper is where the upper four elements of invocation i's windows stand; the lower
// ones are w / 4 behind.
fn upper(i: u32) -> u32 {
    let across = params.w / 4u;
    return i / across * 2u * across + i % across;
}

// corner is the first of them, counted from the start of its plane.
fn corner(i: u32) -> u32 {
    return upper(i) * 4u % (params.h * params.w);
}

// invocations: planes*(h/2)*(w/4)
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.planes * (params.h / 2u) * (params.w / 4u) { return; }
    let a = x[upper(i)];
    let b = x[upper(i) + params.w / 4u];
    let k = corner(i);
    // Only a larger value replaces one, so the first maximum stays.
    var best = a.xz;
    var found = vec2<u32>(k, k + 2u);
    found = select(found, vec2<u32>(k + 1u, k + 3u), a.yw > best);
    best = select(best, a.yw, a.yw > best);
    found = select(found, vec2<u32>(k + params.w, k + params.w + 2u), b.xz > best);
    best = select(best, b.xz, b.xz > best);
    found = select(found, vec2<u32>(k + params.w + 1u, k + params.w + 3u), b.yw > best);
    best = select(best, b.yw, b.yw > best);
    y[i] = best;
    at[i] = found;
}

// finish4 is the slot of a chain: what is done with the four elements from 4 i on before
// they are stored.
fn finish4(i: u32, v: vec4<f32>) -> vec4<f32> {
    return v;
}

// share of four neighbours, of which the first stands at k.
fn share(i: u32, k: u32) -> vec4<f32> {
    return select(vec4<f32>(), dy[i].xxyy, taken[i].xxyy == vec4<u32>(k, k + 1u, k + 2u, k + 3u));
}

// invocations: planes*(h/2)*(w/4)
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.planes * (params.h / 2u) * (params.w / 4u) { return; }
    let to = upper(i);
    let below = to + params.w / 4u;
    let k = corner(i);
    var a = share(i, k);
    var b = share(i, k + params.w);
    if params.gated != 0u {
        a = select(vec4<f32>(), a, gate[to] > vec4<f32>());
        b = select(vec4<f32>(), b, gate[below] > vec4<f32>());
    }
    if accumulate {
        a += dx[to];
        b += dx[below];
    }
    dx[to] = finish4(to, a);
    dx[below] = finish4(below, b);
}

// backward_over writes dx over the gate, which dx holds before.
// invocations: planes*(h/2)*(w/4)
@compute @workgroup_size(block)
fn backward_over(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.planes * (params.h / 2u) * (params.w / 4u) { return; }
    let to = upper(i);
    let below = to + params.w / 4u;
    let k = corner(i);
    var a = share(i, k);
    var b = share(i, k + params.w);
    if params.gated != 0u {
        a = select(vec4<f32>(), a, dx[to] > vec4<f32>());
        b = select(vec4<f32>(), b, dx[below] > vec4<f32>());
    }
    dx[to] = a;
    dx[below] = b;
}
