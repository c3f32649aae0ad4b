// augment: y[p] = x[flip(crop(M p - shift))], interpolated between the four pixels around, 0 outside of x and within a random square, plus noise.
// x, y are (batch, channels, height, width), clock is (2): the step and the seed, table is (count, 4): matrices M,
// row by row, about the middle. Each image has a matrix and amounts of its own, of the clock, the stream and its number
// in the batch. Places are whole numbers of 1/2^17 pixel, so that no device rounds them.
// test: batch=3, channels=2, height=7, width=5, stream=1, count=5, warped=1, shift=200000, flip_x=8388608, flip_y=4194304, crop=1, cutout=3, noise=0.000001

struct Params {
    batch: u32, channels: u32, height: u32, width: u32,
    stream: u32,
    count: u32,
    warped: u32, // 0 where matrices and shifts change nothing
    shift: u32, // most, of 1/2^17 pixel
    flip_x: u32, // of 2^24 images
    flip_y: u32,
    crop: u32, // most, of pixels
    cutout: u32,
    noise: f32, // standard deviation / that of the sums below
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const block: u32 = 64u;

// random is pcg4d (Jarzynski and Olano 2020), as compute.RandomBits: draws 0 to
// 3*batch-1 are those of images, three each, the others of elements.
fn random(draw: u32) -> vec4<u32> {
    var v = vec4<u32>(clock[1], params.stream, clock[0], draw) * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

// either is a random whole number from -most to most.
fn either(bits: u32, most: u32) -> i32 {
    return i32(bits % (2u * most + 1u)) - i32(most);
}

// entry is one of a matrix, of 1/2^16.
fn entry(i: u32) -> i32 {
    return i32(table[i] * 65536.0);
}

// source is where a pixel of the new image lies in the old one. Pixels are counted from
// the middle in halves.
fn source(column: u32, row: u32, a: vec4<u32>, b: vec4<u32>) -> vec2<i32> {
    let m = a.x % params.count * 4u;
    let size = vec2<i32>(i32(params.width), i32(params.height)) - 1;
    let p = 2 * vec2<i32>(i32(column), i32(row)) - size;
    let turned = vec2<i32>(entry(m) * p.x + entry(m + 1u) * p.y, entry(m + 2u) * p.x + entry(m + 3u) * p.y);
    return turned + 65536 * size - vec2<i32>(either(b.x, params.shift), either(b.y, params.shift));
}

// pixel is the one at a column and row of an image that was flipped and cropped,
// or 0 outside.
fn pixel(plane: u32, column: i32, row: i32, flip: vec2<bool>) -> f32 {
    if column < 0 || row < 0 || column >= i32(params.width) || row >= i32(params.height) { return 0.0; }
    let u = select(u32(column), params.width - 1u - u32(column), flip.x);
    let v = select(u32(row), params.height - 1u - u32(row), flip.y);
    return x[plane + v * params.width + u];
}

// noise is the sum of eight numbers of 16 random bits, less its mean, times
// params.noise: nearly normal (Irwin and Hall 1927).
fn noise(element: u32) -> f32 {
    let v = random(3u * params.batch + element);
    let w = (v & vec4<u32>(65535u)) + (v >> vec4<u32>(16u));
    return f32(i32(w.x + w.y + w.z + w.w) - 262140) * params.noise;
}

// forward is one pixel an invocation, of all channels.
// invocations: batch*height*width
// trips: channels
@compute @workgroup_size(block)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * block + id.x;
    let area = params.height * params.width;
    if i >= params.batch * area { return; }
    let image = i / area;
    let row = i % area / params.width;
    let column = i % params.width;
    let a = random(3u * image);
    let b = random(3u * image + 1u);
    let d = random(3u * image + 2u);
    let flip = vec2<bool>((a.w >> 8u) < params.flip_x, (d.z >> 8u) < params.flip_y);
    // Differences below 0 wrap to what no square is as large as.
    let cut = column + params.cutout / 2u - d.x % params.width < params.cutout && row + params.cutout / 2u - d.y % params.height < params.cutout;
    var at = vec2<i32>(i32(column), i32(row));
    var part = vec2<f32>(0.0, 0.0);
    if params.warped != 0u {
        let p = source(column, row, a, b);
        at = p >> vec2<u32>(17u);
        part = vec2<f32>(p & vec2<i32>(131071)) * 0.00000762939453125;
    }
    at += vec2<i32>(either(b.z, params.crop), either(b.w, params.crop));
    for (var c = 0u; c < params.channels; c++) {
        let plane = (image * params.channels + c) * area;
        var value = 0.0;
        if !cut {
            value = pixel(plane, at.x, at.y, flip);
            if params.warped != 0u {
                let top = value * (1.0 - part.x) + pixel(plane, at.x + 1, at.y, flip) * part.x;
                let bottom = pixel(plane, at.x, at.y + 1, flip) * (1.0 - part.x) + pixel(plane, at.x + 1, at.y + 1, flip) * part.x;
                value = top * (1.0 - part.y) + bottom * part.y;
            }
        }
        let element = plane + i % area;
        if params.noise != 0.0 { value += noise(element); }
        y[element] = value;
    }
}
