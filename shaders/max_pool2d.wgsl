// max_pool2d: y = the largest x of each window; at = where it is in its plane.
// Gated, the gradient goes only where gate > 0: through the ReLU before.
// x, gate, dx are (planes, h, w), y, at, taken, dy are (planes, oh, ow).
// test: planes=1, h=4, w=4, oh=3, ow=3, size=6, stride=1, padding=2, gated=1

struct Params { planes: u32, h: u32, w: u32, oh: u32, ow: u32, size: u32, stride: u32, padding: u32, gated: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> at: array<u32>;
@group(0) @binding(4) var<storage, read> taken: array<u32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> gate: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// The window of output o covers input [first(o), last(o)) along an axis of n;
// it never lies in the padding alone.
fn first(o: u32) -> u32 {
    return max(o * params.stride, params.padding) - params.padding;
}

fn last(o: u32, n: u32) -> u32 {
    return min(o * params.stride + params.size - params.padding, n);
}

// Input i belongs to the windows [earliest(i), beyond(i)) of n along an axis.
fn earliest(i: u32) -> u32 {
    return (max(i + params.padding + params.stride, params.size) - params.size) / params.stride;
}

fn beyond(i: u32, n: u32) -> u32 {
    return min((i + params.padding) / params.stride + 1u, n);
}

// invocations: planes*oh*ow
// trips: size*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.planes * params.oh * params.ow { return; }
    let c = i % params.ow;
    let r = i / params.ow % params.oh;
    let plane = i / (params.ow * params.oh) * (params.h * params.w);
    let left = first(c);
    let right = last(c, params.w);
    let bottom = last(r, params.h);
    var found = first(r) * params.w + left;
    var best = x[plane + found];
    for (var row = first(r); row < bottom; row++) {
        for (var k = row * params.w + left; k < row * params.w + right; k++) {
            let v = x[plane + k];
            // Only a larger value replaces one, so the first maximum stays.
            if v > best {
                best = v;
                found = k;
            }
        }
    }
    y[i] = best;
    at[i] = found;
}

// invocations: planes*h*w
// trips: ceil(size/stride)*ceil(size/stride)
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.planes * params.h * params.w { return; }
    let here = i % (params.h * params.w);
    let plane = i / (params.h * params.w) * (params.oh * params.ow);
    let r = here / params.w;
    let c = here % params.w;
    var d = 0.0;
    for (var row = earliest(r); row < beyond(r, params.oh); row++) {
        for (var col = earliest(c); col < beyond(c, params.ow); col++) {
            let o = plane + row * params.ow + col;
            d += select(0.0, dy[o], taken[o] == here);
        }
    }
    if params.gated != 0u { d = select(0.0, d, gate[i] > 0.0); }
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
