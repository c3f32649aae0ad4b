// conv2d_direct: y[n,k,i,j] += b[k] + sum over c,r,s of w[k,c,r,s] x[n, c, i stride - pad + r dilation, j stride - pad + s dilation].
// x, dx are (n, c, h, w), weight is (k, c/groups, r, s), bias is (k), y, dy are (n, k, oh, ow).
//
// Neighbours work on neighbouring columns. An invocation computes some rows of some channels of a group, with a row
// and a column of taps written out, so that what is loaded meets all of them.
// test: n=2, c=14, h=7, w=8, k=10, r=3, s=2, oh=4, ow=8, stride_h=2, stride_w=1, pad_h=1, pad_w=1, dilation_h=1, dilation_w=2, groups=2, biased=1, splits=1, rectified=0

struct Params {
    n: u32, c: u32, h: u32, w: u32, k: u32, r: u32, s: u32, oh: u32, ow: u32,
    stride_h: u32, stride_w: u32, pad_h: i32, pad_w: i32, dilation_h: u32, dilation_w: u32, groups: u32,
    biased: u32, splits: u32,
    rectified: u32, // y = max(y, 0) at the end
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

const block: u32 = 128u;
// Of an invocation.
const channels: u32 = 4u;
const rows: u32 = 2u;
const accumulate: bool = true;

const sums: u32 = channels * rows;

struct Place { image: u32, group: u32, channel: u32, row: u32, column: u32, live: bool }

// place is the first channel and row of invocation i, in images of height by width and
// groups of outer channels.
fn place(i: u32, outer: u32, height: u32, width: u32) -> Place {
    let down = (height + rows - 1u) / rows;
    let blocks = (outer + channels - 1u) / channels;
    let image = i / (width * down * blocks * params.groups);
    return Place(image, i / (width * down * blocks) % params.groups, i / (width * down) % blocks * channels, i / width % down * rows, i % width, image < params.n);
}

// finish is the slot of a chain: what is done with element i before it is stored.
fn finish(i: u32, v: f32) -> f32 {
    return v;
}

// invocations: n*groups*ceil((k/groups)/channels)*ceil(oh/rows)*ow
// trips: (c/groups)*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let at = place(id.y * groups.x * block + id.x, outer, params.oh, params.ow);
    if !at.live { return; }
    let top = i32(at.row * params.stride_h) - params.pad_h;
    let left = i32(at.column * params.stride_w) - params.pad_w;
    var sum: array<f32, sums>;
    for (var c = 0u; c < inner; c++) {
        let plane = (at.image * params.c + at.group * inner + c) * params.h;
        // unroll
        for (var r = 0u; r < params.r; r++) {
            // unroll
            for (var s = 0u; s < params.s; s++) {
                let ix = u32(left + i32(s * params.dilation_w)); // large where negative
                var v: array<f32, rows>;
                // unroll
                for (var t = 0u; t < rows; t++) {
                    let iy = u32(top + i32(t * params.stride_h + r * params.dilation_h));
                    let inside = (iy < params.h) & (ix < params.w);
                    let one = x[select(0u, (plane + iy) * params.w + ix, inside)];
                    v[t] = select(0.0, one, inside);
                }
                // unroll
                for (var k = 0u; k < channels; k++) {
                    let channel = at.group * outer + min(at.channel + k, outer - 1u);
                    let w = weight[((channel * inner + c) * params.r + r) * params.s + s];
                    // unroll
                    for (var t = 0u; t < rows; t++) {
                        sum[k * rows + t] += w * v[t];
                    }
                }
            }
        }
    }
    // unroll
    for (var k = 0u; k < channels; k++) {
        // unroll
        for (var t = 0u; t < rows; t++) {
            if (at.channel + k < outer) & (at.row + t < params.oh) {
                let channel = at.group * outer + at.channel + k;
                let i = ((at.image * params.k + channel) * params.oh + at.row + t) * params.ow + at.column;
                var v = sum[k * rows + t];
                if params.biased != 0u { v += bias[channel]; }
                if accumulate { v += y[i]; }
                if params.rectified != 0u { v = select(0.0, v, v > 0.0); }
                y[i] = finish(i, v);
            }
        }
    }
}

// invocations: n*groups*ceil((c/groups)/channels)*ceil(h/rows)*w
// trips: (k/groups)*r*s
// flops: 2*n*k*oh*ow*(c/groups)*r*s
@compute @workgroup_size(block)
fn backward_x(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let inner = params.c / params.groups;
    let outer = params.k / params.groups;
    let at = place(id.y * groups.x * block + id.x, inner, params.h, params.w);
    if !at.live { return; }
    let top = i32(at.row) + params.pad_h;
    let left = i32(at.column) + params.pad_w;
    var sum: array<f32, sums>;
    for (var k = 0u; k < outer; k++) {
        let channel = at.group * outer + k;
        let plane = (at.image * params.k + channel) * params.oh;
        // unroll
        for (var r = 0u; r < params.r; r++) {
            // unroll
            for (var s = 0u; s < params.s; s++) {
                let tx = left - i32(s * params.dilation_w);
                let ox = u32(max(tx, 0)) / params.stride_w;
                var v: array<f32, rows>;
                // unroll
                for (var t = 0u; t < rows; t++) {
                    let ty = top + i32(t) - i32(r * params.dilation_h);
                    let oy = u32(max(ty, 0)) / params.stride_h;
                    // Only rows and columns that the stride does not step over.
                    let inside = (ty == i32(oy * params.stride_h)) & (tx == i32(ox * params.stride_w)) & (oy < params.oh) & (ox < params.ow);
                    let one = dy[select(0u, (plane + oy) * params.ow + ox, inside)];
                    v[t] = select(0.0, one, inside);
                }
                // unroll
                for (var c = 0u; c < channels; c++) {
                    let w = weight[((channel * inner + min(at.channel + c, inner - 1u)) * params.r + r) * params.s + s];
                    // unroll
                    for (var t = 0u; t < rows; t++) {
                        sum[c * rows + t] += w * v[t];
                    }
                }
            }
        }
    }
    // unroll
    for (var c = 0u; c < channels; c++) {
        // unroll
        for (var t = 0u; t < rows; t++) {
            if (at.channel + c < inner) & (at.row + t < params.h) {
                let i = ((at.image * params.c + at.group * inner + at.channel + c) * params.h + at.row + t) * params.w + at.column;
                var v = sum[c * rows + t];
                if accumulate { v += dx[i]; }
                dx[i] = finish(i, v);
            }
        }
    }
}
