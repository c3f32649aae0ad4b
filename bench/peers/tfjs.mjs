// TensorFlow.js on WebGPU: node tfjs.mjs --rows matmul/256,conv-a/dw,step/cnn
import {readFileSync} from 'node:fs';
import {gpu, options, print, shapes, sums, time, values, word} from './common.mjs';

const info = await gpu();
console.log = console.info = console.warn = console.error; // only lines go out
const tf = await import('@tensorflow/tfjs');
await import('@tensorflow/tfjs-backend-webgpu');
await tf.setBackend('webgpu');
await tf.ready();
const backend = tf.backend();
backend.device.addEventListener('uncapturederror', e => {
  console.error(e.error.message);
  process.exit(1);
});
const {rows, sample} = options();
const dawn = JSON.parse(readFileSync(new URL('node_modules/webgpu/package.json', import.meta.url))).version;
print({system: {name: 'TensorFlow.js', version: tf.version.tfjs, ...info, runtime: `Dawn (webgpu ${dawn}), Node ${process.version}, ${process.platform}/${process.arch}`}});

// wait returns when the device has done everything, without reading anything back.
async function wait() {
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.device.queue.onSubmittedWorkDone();
}

// operation measures f, and sums its result after it was brought into the order of
// rows that all systems have.
async function operation(row, f, order = y => y) {
  const ms = await time(() => f().dispose(), wait, sample);
  const y = tf.tidy(() => order(f()));
  print({row, ms, sums: sums(await y.data())});
  y.dispose();
}

function matmul(row, n) {
  const a = tf.tensor(values(1, n * n), [n, n]), b = tf.tensor(values(2, n * n), [n, n]);
  return operation(row, () => tf.matMul(a, b));
}

function linear(row, what) {
  const x = tf.tensor(values(1, 64 * 784), [64, 784]), dy = tf.tensor(values(3, 64 * 128), [64, 128]);
  const w = tf.transpose(tf.tensor(values(2, 128 * 784), [128, 784])); // (in, out), as its layers have it
  switch (what) {
    case 'y': return operation(row, () => tf.matMul(x, w));
    case 'dx': return operation(row, () => tf.matMul(dy, w, false, true));
    case 'dw': return operation(row, () => tf.matMul(x, dy, true), y => tf.transpose(y));
  }
}

function conv(row, [n, c, size, k, r, pad], what) {
  const out = size + 2 * pad - r + 1, inputShape = [n, size, size, c], filterShape = [r, r, c, k];
  const x = tf.transpose(tf.tensor(values(1, n * c * size * size), [n, c, size, size]), [0, 2, 3, 1]);
  const filter = tf.transpose(tf.tensor(values(2, k * c * r * r), [k, c, r, r]), [2, 3, 1, 0]);
  const dy = tf.transpose(tf.tensor(values(3, n * k * out * out), [n, k, out, out]), [0, 2, 3, 1]);
  const attrs = {strides: [1, 1], pad, dataFormat: 'NHWC', dimRoundingMode: null};
  const images = y => tf.transpose(y, [0, 3, 1, 2]);
  switch (what) {
    case 'y': return operation(row, () => tf.conv2d(x, filter, 1, pad), images);
    case 'dx': return operation(row, () => tf.engine().runKernel('Conv2DBackpropInput', {dy, filter}, {...attrs, inputShape}), images);
    case 'dw': return operation(row, () => tf.engine().runKernel('Conv2DBackpropFilter', {x, dy}, {...attrs, filterShape}), y => tf.transpose(y, [3, 2, 0, 1]));
  }
}

// step trains the networks of bench.Model on the images of bench.Images.
async function step(row, model) {
  const batch = 64;
  const pixels = Float32Array.from({length: batch * 784}, (_, i) => (word(1, i) >>> 24) / 255);
  const labels = Int32Array.from({length: batch}, (_, i) => (word(2, i) >>> 8) % 10);
  const x = tf.tensor(pixels, [batch, 28, 28, 1]), y = tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), 10), 'float32');
  const weight = (stream, shape, order) => tf.variable(tf.tidy(() => order(tf.div(tf.tensor(values(stream, tf.util.sizeFromShape(shape)), shape), 8))));
  const bias = n => tf.variable(tf.zeros([n]));
  const hwio = w => tf.transpose(w, [2, 3, 1, 0]);
  let logits;
  if (model === 'cnn') {
    const w1 = weight(10, [8, 1, 5, 5], hwio), b1 = bias(8), w2 = weight(11, [16, 8, 5, 5], hwio), b2 = bias(16);
    // The last layer's inputs are in the order of channels, rows, columns; here channels come last.
    const w3 = weight(12, [10, 16, 4, 4], w => tf.reshape(hwio(w), [256, 10])), b3 = bias(10);
    const layer = (x, filter, bias) => tf.maxPool(tf.fused.conv2d({x, filter, strides: 1, pad: 'valid', bias, activation: 'relu'}), 2, 2, 'valid');
    logits = () => tf.fused.matMul({a: tf.reshape(layer(layer(x, w1, b1), w2, b2), [batch, 256]), b: w3, bias: b3});
  } else {
    const flat = tf.reshape(x, [batch, 784]);
    const w1 = weight(10, [128, 784], w => tf.transpose(w)), b1 = bias(128), w2 = weight(11, [10, 128], w => tf.transpose(w)), b2 = bias(10);
    logits = () => tf.fused.matMul({a: tf.fused.matMul({a: flat, b: w1, bias: b1, activation: 'relu'}), b: w2, bias: b2});
  }
  await wait();
  const adam = tf.train.adam(0.001, 0.9, 0.999, 1e-8);
  const minimize = () => adam.minimize(() => tf.losses.softmaxCrossEntropy(y, logits()), true);
  const losses = [], start = performance.now();
  let first;
  for (let i = 0; i < 3; i++) {
    const loss = minimize();
    losses.push((await loss.data())[0]);
    loss.dispose();
    if (i === 0) {
      await wait();
      first = performance.now() - start;
    }
  }
  const ms = await time(() => minimize().dispose(), wait, sample);
  print({row, ms, first_ms: first, loss: losses.reduce((a, b) => a + b) / losses.length});
}

for (const row of rows) {
  const [kind, what] = row.split('/');
  if (kind === 'matmul') await matmul(row, Number(what));
  else if (kind === 'linear') await linear(row, what);
  else if (kind === 'step') await step(row, what);
  else await conv(row, shapes[kind.slice(5)], what);
}
process.exit(0); // Dawn keeps the process alive
