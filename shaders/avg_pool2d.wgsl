// avg_pool2d: y = the sum of x over each window / the window's elements.
// x, dx are (planes, h, w), y, dy are (planes, oh, ow).
// test: planes=3, h=7, w=6, oh=4, ow=3, size=3, stride=2, padding=1, inside=1

struct Params {
    planes: u32, h: u32, w: u32, oh: u32, ow: u32, size: u32, stride: u32, padding: u32,
    inside: u32, // 1: count the elements inside the image, 0: all of the window
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

// The window of output o covers input [first(o), last(o)) along an axis of n.
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

// count is the divisor of the window of output (r, c).
fn count(r: u32, c: u32) -> f32 {
    let clipped = (last(r, params.h) - first(r)) * (last(c, params.w) - first(c));
    return f32(select(params.size * params.size, clipped, params.inside != 0u));
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
    var sum = 0.0;
    for (var row = first(r); row < bottom; row++) {
        for (var k = row * params.w + left; k < row * params.w + right; k++) {
            sum += x[plane + k];
        }
    }
    y[i] = sum / count(r, c);
}

// invocations: planes*h*w
// trips: ceil(size/stride)*ceil(size/stride)
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= params.planes * params.h * params.w { return; }
    let c = i % params.w;
    let r = i / params.w % params.h;
    let plane = i / (params.h * params.w) * (params.oh * params.ow);
    var d = 0.0;
    for (var row = earliest(r); row < beyond(r, params.oh); row++) {
        for (var col = earliest(c); col < beyond(c, params.ow); col++) {
            d += dy[plane + row * params.ow + col] / count(row, col);
        }
    }
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
