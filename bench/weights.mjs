// Linear layers and 1×1 convolutions over coded weights beside the same over f32, by the engine's own instructions, one thread:
// node bench/weights.mjs [rows of a linear layer], after npm run build. Where the runtime has dot products of bytes, int8 by them too, and by them in 7 bits (lossy).
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { processorTime } from './clock.mjs';
import { measure } from './gemm.mjs';
import { openKernels } from './kernels.mjs';

/** Number of the encoding in assembly/abi/weights.ts, and bytes of a weight [n,k]. */
const up16 = (bytes) => (bytes + 15) & ~15;
export const ENCODINGS = {
  f32: { number: 0, bytes: (n, k) => 4 * n * k },
  int8: { number: 1, bytes: (n, k) => up16(4 * n) + up16(n * k) },
  int4: { number: 2, bytes: (n, k) => up16(4 * n * Math.ceil(k / 64)) + n * Math.ceil(k / 32) * 16 },
  lossy: { number: 4, bytes: (n, k) => up16(4 * n) + up16(n * k) },
  int12: { number: 3, bytes: (n, k) => up16(4 * n) + up16(n * Math.ceil(k / 16) * 24) },
};
/** assembly/abi/ops.ts numbers the operators. */
const [LINEAR, LINEAR_BACKWARD_X] = [1, 2];

/** Forward (NT) and gradient (NN) of the linear layers of ViT-Tiny, Small and Base: y[m,n] = x[m,k]·w[n,k]ᵀ, dx[m,k] = dy[m,n]·w. */
export function shapes(rows) {
  const list = [];
  for (const [model, c] of /** @type {[string, number][]} */ ([
    ['ViT-tiny', 192],
    ['ViT-small', 384],
    ['ViT-base', 768],
  ]))
    for (const m of rows)
      for (const [n, k] of [
        [c, c],
        [4 * c, c],
        [c, 4 * c],
      ])
        for (const op of ['NT', 'NN']) list.push({ name: model, op, m, n, k });
  return list;
}

/** 1×1 convolutions of MobileNetV2 and ResNet-50, one picture: those that int8 stores in 12 bits. */
export const CONVOLUTIONS = [
  ['MobileNetV2', 3136, 24, 144],
  ['MobileNetV2', 784, 192, 32],
  ['MobileNetV2', 196, 384, 64],
  ['MobileNetV2', 196, 96, 576],
  ['ResNet-50', 3136, 64, 256],
  ['ResNet-50', 784, 512, 128],
  ['ResNet-50', 196, 256, 1024],
].flatMap(([name, m, k, n]) => ['NT', 'NN'].map((op) => ({ name, op, m, n, k })));

const DOTS = 'build/engine.dots.wasm';
const hasDots = WebAssembly.validate(readFileSync(DOTS));

/** A contestant (see gemm.mjs) whose weight is stored in one encoding; `file`: the engine's build. */
export function coded(name, file = 'build/kernels.wasm') {
  const { number, bytes } = ENCODINGS[name];
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024 });
  const [scratch, scratchBytes] = [8192, 1 << 20];
  const kernels = openKernels(memory, { offset: scratch, bytes: scratchBytes }, readFileSync(file));
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
          kernels.placeCoded(scratch, 0, row, 1, w, number, n, 1, k, k, 1, scratch + up16(4 * k));
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
            kernels.walk(4096, 4096 + 4 * words.length);
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
export async function compareWeights(list, options) {
  const contestants = ['f32', 'int8', 'int4', 'int12'].map((name) => coded(name));
  if (hasDots) contestants.push(coded('int8', DOTS), coded('lossy', DOTS));
  const results = [];
  for (const shape of list) {
    const [f32, int8, int4, int12, ...byDots] = await measure(shape, contestants, options);
    const [int8Dots, lossy] = byDots.map((rate) => rate / f32);
    results.push({ shape, f32, int8: int8 / f32, int4: int4 / f32, int12: int12 / f32, int8Dots, lossy });
  }
  return results;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const { shape, f32, int8, int4, int12, int8Dots, lossy } of await compareWeights([
    ...CONVOLUTIONS,
    ...shapes((process.argv[2] ?? '1576,197,49').split(',').map(Number)),
  ]))
    console.log(
      `${shape.name.padEnd(12)}${shape.op} ${[shape.m, shape.n, shape.k].join('×').padEnd(15)} f32 ${f32.toFixed(1)}  int8 ${int8.toFixed(3)}  int4 ${int4.toFixed(3)}  int12 ${int12.toFixed(3)}${int8Dots && lossy ? `  int8 by bytes ${int8Dots.toFixed(3)}  lossy ${lossy.toFixed(3)}` : ''}`,
    );
