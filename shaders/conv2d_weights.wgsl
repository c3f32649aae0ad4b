// conv2d_weights: dw[k,c,r,s] += sum over n,i,j of dy[n,k,i,j] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x is (n, c, h, w), dy is (n, k, oh, ow), dy4 is dy as vec4, part is (splits, weights), dw is (k, c/groups, r, s).

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: u32, pad_w: u32, dilation_h: u32, dilation_w: u32, groups: u32,
    splits: u32, length: u32, window: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> dy4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
@group(0) @binding(5) var<storage, read> parts: array<f32>;
@group(0) @binding(6) var<storage, read_write> dw: array<f32>;

const block: u32 = 32u;
const channels: u32 = 8u; // output channels of one invocation
const accumulate: bool = true;

// split: an invocation sums one split, length of the n*oh output rows, for 8
// output channels, one input channel, one kernel row and all its columns.
// invocations: (c/groups)*r*splits, ceil((k/groups)/8), groups
// trips: length*ceil(ow/4)
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn split(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    if id.x >= inner * params.r * params.splits { return; }
    let r = id.x % params.r;
    let c = id.x / params.r % inner;
    let which = id.x / (params.r * inner);
    let first = wid.y * channels;
    var sum: array<f32, 512>;
    // unroll
    for (var i = 0u; i < channels * params.s; i++) {
        sum[i] = 0.0;
    }
    let last = min((which + 1u) * params.length, params.n * params.oh);
    for (var at = which * params.length; at < last; at++) {
        let image = at / params.oh;
        let row = at % params.oh;
        let iy = i32(row * params.stride_h + r * params.dilation_h) - i32(params.pad_h);
        let inside = iy >= 0 && iy < i32(params.h);
        let line = ((image * params.c + wid.z * inner + c) * params.h + u32(clamp(iy, 0, i32(params.h) - 1))) * params.w;
        for (var column = 0u; column < params.ow; column += 4u) {
            let left = i32(column * params.stride_w) - i32(params.pad_w);
            var seen: array<f32, 64>;
            // unroll
            for (var i = 0u; i < params.window; i++) {
                let ix = left + i32(i);
                let v = x[line + u32(clamp(ix, 0, i32(params.w) - 1))];
                seen[i] = select(0.0, v, inside && ix >= 0 && ix < i32(params.w));
            }
            // unroll
            for (var k = 0u; k < channels; k++) {
                let start = ((image * params.k + wid.z * outer + min(first + k, outer - 1u)) * params.oh + row) * params.ow;
                var d = vec4<f32>();
                if params.ow % 4u == 0u {
                    d = dy4[(start + column) / 4u];
                } else {
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        d[j] = select(0.0, dy[start + min(column + j, params.ow - 1u)], column + j < params.ow);
                    }
                }
                // unroll
                for (var s = 0u; s < params.s; s++) {
                    sum[k * params.s + s] += dot(d, vec4<f32>(seen[s * params.dilation_w], seen[s * params.dilation_w + params.stride_w], seen[s * params.dilation_w + 2u * params.stride_w], seen[s * params.dilation_w + 3u * params.stride_w]));
                }
            }
        }
    }
    let size = params.k * inner * params.r * params.s;
    // unroll
    for (var k = 0u; k < channels; k++) {
        if first + k < outer {
            let to = which * size + (((wid.z * outer + first + k) * inner + c) * params.r + r) * params.s;
            // unroll
            for (var s = 0u; s < params.s; s++) {
                part[to + s] = sum[k * params.s + s];
            }
        }
    }
}

// join adds up the splits.
// invocations: k*(c/groups)*r*s
// trips: splits
@compute @workgroup_size(block)
fn join(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let size = params.k * (params.c / params.groups) * params.r * params.s;
    let i = id.y * groups.x * block + id.x;
    if i >= size { return; }
    var sum = 0.0;
    for (var j = 0u; j < params.splits; j++) { sum += parts[j * size + i]; }
    if accumulate { sum += dw[i]; }
    dw[i] = sum;
}
