// normalize: y = (x - mean) / sqrt(variance + eps) * weight + bias, with the mean and the variance of a group of x.
// x, y, dy, dx are (batch, groups, size); mean, variance, running_mean, running_variance, final_mean, final_variance are (groups);
// they are (outer, affine, inner) as well; weight, bias are (affine).
// A batch norm has groups = affine = channels; a layer norm has a group for each row, and inner = 1.
// moments, products are (2, groups, ceil(batch*size/chunk)), offsets, slopes are (2, groups), parts is (affine, ceil(batch*groups*size/affine/chunk)).
// test: batch=3, groups=5, size=7, affine=5, inner=7, chunk=8, training=1, eps=0.001, momentum=0.1

struct Params {
    batch: u32, groups: u32, size: u32, affine: u32, inner: u32, chunk: u32,
    training: u32, eps: f32, momentum: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;
@group(0) @binding(7) var<storage, read> slopes: array<f32>;
@group(0) @binding(8) var<storage, read_write> moments: array<f32>;
@group(0) @binding(9) var<storage, read_write> y: array<f32>;
@group(0) @binding(10) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(11) var<storage, read_write> running_variance: array<f32>;
@group(0) @binding(12) var<storage, read_write> products: array<f32>;
@group(0) @binding(13) var<storage, read_write> parts: array<f32>;
@group(0) @binding(14) var<storage, read_write> dx: array<f32>;
@group(0) @binding(15) var<storage, read> offsets: array<f32>;
@group(0) @binding(16) var<storage, read_write> final_mean: array<f32>;
@group(0) @binding(17) var<storage, read_write> final_variance: array<f32>;

const block: u32 = 64u;
const accumulate: bool = true;

fn count() -> u32 {
    return params.batch * params.groups * params.size;
}

// chunks_of is how many chunks the terms of one sum make.
fn chunks_of(terms: u32) -> u32 {
    return (terms + params.chunk - 1u) / params.chunk;
}

// place is where term k of sum j stands, of (outer, middle, inner) with j in the middle.
fn place(j: u32, k: u32, middle: u32, inner: u32) -> u32 {
    return (k / inner * middle + j) * inner + k % inner;
}

fn standard(i: u32) -> f32 {
    let g = i / params.size % params.groups;
    return (x[i] - mean[g]) * inverseSqrt(variance[g] + params.eps);
}

// deviations is the sums, over a group, of x less a rounded mean, and of its square.
// invocations: groups*ceil((batch*size)/chunk)
// trips: chunk
// flops: 4*batch*groups*size
@compute @workgroup_size(block)
fn deviations(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let terms = params.batch * params.size;
    let chunks = chunks_of(terms);
    if i >= params.groups * chunks { return; }
    let g = i / chunks;
    let start = i % chunks * params.chunk;
    var first = 0.0;
    var second = 0.0;
    for (var k = start; k < min(start + params.chunk, terms); k++) {
        let d = x[place(g, k, params.groups, params.size)] - mean[g];
        first += d;
        second += d * d;
    }
    moments[i] = first;
    moments[params.groups * chunks + i] = second;
}

// settle takes out of mean and variance what the rounding of the first mean put there:
// offsets are the means of d and of d*d.
// invocations: groups
// flops: 4*groups
@compute @workgroup_size(block)
fn settle(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let g = id.y * groups.x * block + id.x;
    if g >= params.groups { return; }
    let d = offsets[g];
    final_mean[g] = mean[g] + d;
    final_variance[g] = max(offsets[params.groups + g] - d * d, 0.0);
}

// invocations: batch*groups*size
// flops: 5*batch*groups*size
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    let a = i / params.inner % params.affine;
    y[i] = standard(i) * weight[a] + bias[a];
}

// track moves the running statistics; their variance is the unbiased one.
// invocations: groups
@compute @workgroup_size(block)
fn track(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let g = id.y * groups.x * block + id.x;
    if g >= params.groups { return; }
    let terms = f32(params.batch * params.size);
    running_mean[g] += params.momentum * (mean[g] - running_mean[g]);
    running_variance[g] += params.momentum * (variance[g] * (terms / (terms - 1.0)) - running_variance[g]);
}

// gather is the sums over a group of dy*weight, and of that times the standard x.
// invocations: groups*ceil((batch*size)/chunk)
// trips: chunk
// flops: 7*batch*groups*size
@compute @workgroup_size(block)
fn gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let terms = params.batch * params.size;
    let chunks = chunks_of(terms);
    if i >= params.groups * chunks { return; }
    let start = i % chunks * params.chunk;
    var first = 0.0;
    var second = 0.0;
    for (var k = start; k < min(start + params.chunk, terms); k++) {
        let at = place(i / chunks, k, params.groups, params.size);
        let d = dy[at] * weight[at / params.inner % params.affine];
        first += d;
        second += d * standard(at);
    }
    products[i] = first;
    products[params.groups * chunks + i] = second;
}

// backward_weight is the sums, for each weight, of dy times the standard x.
// invocations: affine*ceil((batch*groups*size/affine)/chunk)
// trips: chunk
// flops: 5*batch*groups*size
@compute @workgroup_size(block)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let terms = count() / params.affine;
    let chunks = chunks_of(terms);
    if i >= params.affine * chunks { return; }
    let start = i % chunks * params.chunk;
    var sum = 0.0;
    for (var k = start; k < min(start + params.chunk, terms); k++) {
        let at = place(i / chunks, k, params.affine, params.inner);
        sum += dy[at] * standard(at);
    }
    parts[i] = sum;
}

// backward: where mean and variance are of x itself, their share is subtracted.
// invocations: batch*groups*size
// flops: 9*batch*groups*size
@compute @workgroup_size(block)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    if i >= count() { return; }
    let g = i / params.size % params.groups;
    var d = dy[i] * weight[i / params.inner % params.affine];
    if params.training != 0u { d -= slopes[g] + standard(i) * slopes[params.groups + g]; }
    d *= inverseSqrt(variance[g] + params.eps);
    if accumulate { d += dx[i]; }
    dx[i] = d;
}
