// ONNX Runtime's WebGPU execution provider: node ort.mjs --rows matmul/256,conv-a/y
// Its Node binding takes inputs from the host and gives outputs to it, so that a
// run has one upload and one read-back.
import * as ort from 'onnxruntime-node';
import {gpu, options, print, shapes, sums, time, values} from './common.mjs';
import {model} from './onnx.mjs';

const {rows, sample} = options();
// The library has a Dawn of its own, which does not name its adapter; the npm package's does.
print({system: {name: 'ONNX Runtime', version: ort.env.versions.node, ...await gpu(), runtime: `WebGPU execution provider, Node ${process.version}, ${process.platform}/${process.arch}`}});

const size = shape => shape.reduce((a, b) => a * b);

// operation is a layer with a constant weight: x is stream 1, the weight stream 2.
function operation(row) {
  const [kind, what] = row.split('/');
  const build = (op, x, w, y, attributes = {}, data = values(2, size(w))) => [model(op, [['x', x]], [['w', w, data]], ['y', y], attributes), x];
  if (kind === 'matmul') {
    const n = Number(what);
    return build('MatMul', [n, n], [n, n], [n, n]);
  }
  if (kind === 'linear') {
    const w = values(2, 128 * 784), transposed = w.map((_, i) => w[i % 128 * 784 + Math.floor(i / 128)]);
    return build('MatMul', [64, 784], [784, 128], [64, 128], {}, transposed);
  }
  const [n, c, s, k, r, p] = shapes[kind.slice(5)], out = s + 2 * p - r + 1;
  return build('Conv', [n, c, s, s], [k, c, r, r], [n, k, out, out], {pads: [p, p, p, p], kernel_shape: [r, r]});
}

for (const row of rows) {
  const [bytes, shape] = operation(row);
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['webgpu'], logSeverityLevel: 3,
    extra: {session: {disable_cpu_ep_fallback: '1'}},
  });
  const x = new ort.Tensor('float32', values(1, size(shape)), shape);
  let y;
  const ms = await time(async () => { y = (await session.run({x})).y; }, async () => {}, sample);
  print({row, ms, sums: sums(y.data)});
}
process.exit(0);
