// What the peers in JavaScript share: the numbers, their sums, the clock and the
// lines they print. bench/values.go says what the numbers are.

export function word(stream, i) {
  let h = (Math.imul(i + 1, 2654435761) + Math.imul(stream, 2246822519)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 3266489917) >>> 0;
  return (h ^ (h >>> 13)) >>> 0;
}

export function values(stream, n) {
  return Float32Array.from({length: n}, (_, i) => ((word(stream, i) >>> 24) - 128) / 128);
}

export function sums(x) {
  let sum = 0, weighted = 0, magnitude = 0;
  x.forEach((v, i) => {
    sum += v;
    weighted += v * (((word(0, i) >>> 24) - 128) / 128);
    magnitude += Math.abs(v);
  });
  return [sum, weighted, magnitude];
}

// shapes of convolutions: images, channels, size, channels out, kernel, padding.
export const shapes = {
  a: [64, 1, 28, 8, 5, 0], b: [64, 8, 12, 16, 5, 0], c: [32, 16, 14, 32, 3, 1], d: [8, 32, 28, 64, 3, 1],
};

// time returns the milliseconds of one run, in as many runs as fill the sample, after
// one that is not counted; wait returns when they are finished.
export async function time(run, wait, sample) {
  const runs = async n => {
    const start = performance.now();
    for (let i = 0; i < n; i++) await run();
    await wait();
    return performance.now() - start;
  };
  await runs(1);
  const once = await runs(1);
  if (once >= sample) return once;
  let n = Math.max(1, Math.floor(sample / once));
  if (n > 1) n = Math.max(1, Math.floor(n * sample / await runs(n)));
  return await runs(n) / n;
}

// options are --rows NAME,NAME and --sample 300ms.
export function options() {
  const get = (name, otherwise) => {
    const i = process.argv.indexOf(name);
    return i < 0 ? otherwise : process.argv[i + 1];
  };
  return {rows: get('--rows', '').split(',').filter(Boolean), sample: parseFloat(get('--sample', '300ms'))};
}

export function print(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

// gpu is WebGPU by Dawn, and what it says of its adapter.
export async function gpu() {
  const {create, globals} = await import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create([]);
  Object.defineProperty(globalThis, 'navigator', {value: {gpu, userAgent: ''}, configurable: true});
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn finds no adapter; for SwiftShader set VK_DRIVER_FILES as bench/README.md says');
  const {vendor, architecture, device, description} = adapter.info;
  return {adapter: [vendor, architecture, device].filter(Boolean).join(' '), driver: description};
}
