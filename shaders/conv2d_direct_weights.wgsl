// conv2d_direct_weights: dw[k,c,r,s] = sum over n,i,j of dy[n,k,i,j] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x is (n, c, h, w), dy is (n, k, oh, ow), part is (splits, k*(c/groups)*r*s + biased*k): a split holds the sum,
// and behind it the sum of dy, the gradient of the bias, over as many spots of dy as the next one, a multiple of 4.
//
// A workgroup computes one row of taps of one input channel, for some output channels of its group. Neighbours take
// neighbouring spots, each its share of all, and the sums of the invocations are added up two by two.
// test: n=3, c=14, h=9, w=10, k=10, r=3, s=2, oh=5, ow=10, stride_h=2, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=2, groups=2, biased=1, splits=2, rectified=0

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32, splits: u32,
    rectified: u32, // of conv2d.wgsl
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;

const block: u32 = 64u; // a power of two
const channels: u32 = 4u;
const widest: u32 = 12u; // taps in a row, at most

const sums: u32 = channels * widest;
const held: u32 = channels * block;

var<workgroup> shared_sums: array<f32, held>;

// add leaves in element k*block the sum of the block elements from there on.
fn add(local: u32) {
    for (var far = block / 2u; far > 0u; far /= 2u) {
        workgroupBarrier();
        if local < far {
            // unroll
            for (var k = 0u; k < channels; k++) {
                shared_sums[k * block + local] += shared_sums[k * block + local + far];
            }
        }
    }
    workgroupBarrier();
}

// workgroups: ceil((k/groups)/channels)*(c/groups)*r*groups*splits
// trips: (ceil((ceil(n*oh*ow/splits)+3)/block)+7)*(s+1)
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn split(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let blocks = (outer + channels - 1u) / channels;
    let which = wid.y * groups.x + wid.x;
    let r = which % params.r;
    let c = which / params.r % inner;
    let first = which / (params.r * inner) % blocks * channels;
    let group = which / (params.r * inner * blocks) % params.groups;
    let at = which / (params.r * inner * blocks * params.groups);
    let spots = params.n * params.oh * params.ow;
    let each = ((spots + params.splits - 1u) / params.splits + 3u) / 4u * 4u;
    let start = min(at * each, spots);
    let stop = min(start + each, spots);
    var sum: array<f32, sums>;
    var offset: array<f32, channels>; // sums of dy
    for (var spot = start + local; spot < stop; spot += block) {
        let image = spot / (params.oh * params.ow);
        let row = spot / params.ow % params.oh;
        let column = spot % params.ow;
        let iy = u32(i32(row * params.stride_h + r * params.dilation_h) - params.pad_h); // large where negative
        let line = ((image * params.c + group * inner + c) * params.h + iy) * params.w;
        var d: array<f32, channels>;
        // unroll
        for (var k = 0u; k < channels; k++) {
            let channel = group * outer + min(first + k, outer - 1u);
            d[k] = dy[((image * params.k + channel) * params.oh + row) * params.ow + column];
            offset[k] += d[k];
        }
        // unroll
        for (var s = 0u; s < params.s; s++) {
            let ix = u32(i32(column * params.stride_w + s * params.dilation_w) - params.pad_w);
            let inside = (iy < params.h) & (ix < params.w);
            let one = x[select(0u, line + ix, inside)];
            let v = select(0.0, one, inside);
            // unroll
            for (var k = 0u; k < channels; k++) {
                sum[k * widest + s] += d[k] * v;
            }
        }
    }
    let size = inner * params.r * params.s; // of an output channel
    let to = at * (params.k * size + params.biased * params.k);
    let live = (at < params.splits) & (local < channels) & (first + local < outer);
    let channel = group * outer + first + local;
    // unroll
    for (var s = 0u; s < params.s; s++) {
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < channels; k++) {
            shared_sums[k * block + local] = sum[k * widest + s];
        }
        add(local);
        if live { part[to + channel * size + (c * params.r + r) * params.s + s] = shared_sums[local * block]; }
    }
    if params.biased != 0u {
        if (c == 0u) & (r == 0u) {
            workgroupBarrier();
            // unroll
            for (var k = 0u; k < channels; k++) {
                shared_sums[k * block + local] = offset[k];
            }
            add(local);
            if live { part[to + params.k * size + channel] = shared_sums[local * block]; }
        }
    }
}
