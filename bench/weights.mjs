// Linear layers over coded weights beside the same over f32, by the engine's own instructions, one thread: node bench/weights.mjs, after
// npm run build.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { processorTime } from './clock.mjs';
import { measure } from './gemm.mjs';

/** Number of the encoding in assembly/abi/weights.ts, and bytes of a weight [n,k]. */
const up16 = (bytes) => (bytes + 15) & ~15;
export const ENCODINGS = {
  f32: { number: 0, bytes: (n, k) => 4 * n * k },
  int8: { number: 1, bytes: (n, k) => up16(4 * n) + up16(n * k) },
  int4: { number: 2, bytes: (n, k) => up16(4 * n * Math.ceil(k / 64)) + n * Math.ceil(k / 32) * 16 },
};
/** assembly/abi/ops.ts numbers the operators. */
const [LINEAR, LINEAR_BACKWARD_X] = [1, 2];

/** Forward (NT) and gradient (NN) of the linear layers of ViT-Tiny, Small and Base: y[m,n] = x[m,k]·w[n,k]ᵀ, dx[m,k] = dy[m,n]·w. */
export function shapes(rows) {
  const list = [];
  for (const [model, c] of [
    ['tiny', 192],
    ['small', 384],
    ['base', 768],
  ])
    for (const m of rows)
      for (const [n, k] of [
        [c, c],
        [4 * c, c],
        [c, 4 * c],
      ])
        for (const op of ['NT', 'NN']) list.push({ name: model, op, m, n, k });
  return list;
}

/** A contestant (see gemm.mjs) whose weight is stored in one encoding. */
export function coded(name) {
  const { number, bytes } = ENCODINGS[name];
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync('build/kernels.wasm')), { env: { memory } });
  const [scratch, scratchBytes] = [8192, 1 << 20];
  exports.setup(0, scratch, scratchBytes, 0, 1);
  return {
    name,
    prepare({ op, m, n, k }) {
      let top = scratch + scratchBytes;
      const take = (size) => {
        const at = top;
        top += up16(size);
        return at;
      };
      const [a, w, out] = [take(4 * m * Math.max(n, k)), take(bytes(n, k)), take(4 * m * Math.max(n, k))];
      const random = (at, count) => {
        const view = new Float32Array(memory.buffer, at, count);
        for (let i = 0; i < count; i++) view[i] = Math.random() - 0.5;
      };
      random(a, m * Math.max(n, k));
      if (number === 0) random(w, n * k);
      else {
        // Row by row from scratch, as weights are loaded.
        for (let row = 0; row < n; row++) {
          random(scratch, k);
          exports.placeCoded(scratch, 0, row, 1, w, number, n, 1, k, k, 1, scratch + up16(4 * k));
        }
      }
      // Without a bias, and without a gradient to add to, the two instructions have the same words.
      const words = [op === 'NT' ? LINEAR : LINEAR_BACKWARD_X, 12, 0, 0, a, w, 0, out, m, n, k, number];
      new Int32Array(memory.buffer, 4096, words.length).set(words);
      return {
        slice(ms) {
          const began = processorTime();
          let times = 0;
          do {
            exports.walk(4096, 4096 + 4 * words.length);
            times++;
          } while (processorTime() - began < ms);
          return (2 * m * n * k * times) / (processorTime() - began) / 1e6;
        },
        close() {},
      };
    },
  };
}

/** Of every shape: GFLOP/s over f32, and the ratios of the others to it. */
export async function compareWeights(rows, options) {
  const contestants = Object.keys(ENCODINGS).map(coded);
  const results = [];
  for (const shape of shapes(rows)) {
    const [f32, int8, int4] = await measure(shape, contestants, options);
    results.push({ shape, f32, int8: int8 / f32, int4: int4 / f32 });
  }
  return results;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const { shape, f32, int8, int4 } of await compareWeights((process.argv[2] ?? '1576,197,49').split(',').map(Number)))
    console.log(
      `ViT-${shape.name.padEnd(6)}${shape.op} ${[shape.m, shape.n, shape.k].join('×').padEnd(15)} f32 ${f32.toFixed(1)}  int8 ${int8.toFixed(3)}  int4 ${int4.toFixed(3)}`,
    );
