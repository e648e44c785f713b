// GFLOP/s of the engine's SGEMM, one thread, at the shapes of ViT and MobileNetV2: node bench/gemm.mjs [part of a name]
// Peers are put beside it through `measure`.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { processorTime } from './clock.mjs';
import { openKernels } from './kernels.mjs';

const LINEAR = { tiny: [192, 768], small: [384, 1536], base: [768, 3072] };

/** Every shape as { name, op, m, n, k }; op is NT (forward), NN (gradient of x) or TN (gradient of w). */
export function shapes() {
  const list = [];
  for (const [model, [c, hidden]] of Object.entries(LINEAR))
    for (const m of [1576, 197])
      for (const [n, k] of [
        [3 * c, c],
        [c, c],
        [hidden, c],
        [c, hidden],
      ]) {
        list.push({ name: `ViT-${model} ${m}`, op: 'NT', m, n, k });
        list.push({ name: `ViT-${model} ${m}`, op: 'NN', m, n: k, k: n });
        list.push({ name: `ViT-${model} ${m}`, op: 'TN', m: n, n: k, k: m });
      }
  list.push({ name: 'attention q·kT', op: 'NT', m: 197, n: 197, k: 64 });
  list.push({ name: 'attention p·v', op: 'NN', m: 197, n: 64, k: 197 });
  // 1×1 convolutions of MobileNetV2 1.0, one picture: pixels, in, out.
  for (const [m, k, n] of [
    [12544, 32, 16],
    [12544, 16, 96],
    [3136, 96, 24],
    [3136, 24, 144],
    [3136, 144, 24],
    [784, 144, 32],
    [784, 32, 192],
    [784, 192, 32],
    [196, 192, 64],
    [196, 64, 384],
    [196, 384, 64],
    [196, 384, 96],
    [196, 96, 576],
    [49, 576, 160],
    [49, 160, 960],
    [49, 960, 320],
    [49, 320, 1280],
  ])
    list.push({ name: 'MobileNetV2 1×1', op: 'NT', m, n, k });
  return list;
}

/**
 * The engine as a contestant (see peers.mjs); `op` overrides the shape's own. B is packed at every call.
 *
 * @param {{ op?: string, file?: string }} [options]
 */
export function engine({ op: forced, file = 'build/kernels.wasm' } = {}) {
  const pages = 1024;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const kernels = openKernels(memory, { offset: 4096, bytes: 1 << 20 }, readFileSync(file));
  const product = ({ op, m, n, k }) => {
    const panel = 4096;
    const a = 4096 + (1 << 20);
    const b = a + m * k * 4;
    const c = b + n * k * 4;
    if (op === 'NT') return () => kernels.gemmNT(m, n, k, a, k * 4, b, k * 4, c, n * 4, 0, 0, panel);
    if (op === 'NN') return () => kernels.gemmNN(m, n, k, a, k * 4, b, n * 4, c, n * 4, 0, panel);
    return () => kernels.gemmTN(m, n, k, a, m * 4, b, n * 4, c, n * 4, 0, panel);
  };
  return {
    name: `S2A ${forced ?? ''}`.trim(),
    prepare(shape) {
      const { m, n, k } = shape;
      const operands = new Float32Array(memory.buffer, 4096 + (1 << 20), m * k + n * k);
      for (let i = 0; i < operands.length; i++) operands[i] = Math.random() - 0.5;
      const run = product({ ...shape, op: forced ?? shape.op });
      return {
        slice(ms) {
          const began = processorTime();
          let times = 0;
          do {
            run();
            times++;
          } while (processorTime() - began < ms);
          return (2 * m * n * k * times) / (processorTime() - began) / 1e6;
        },
        close() {},
      };
    },
  };
}

/**
 * GFLOP/s of every contestant at one shape. Short slices by turns, so that a busy machine touches all alike, and the best of each: whatever
 * else runs only takes away. Ends after `rounds`, or once four of them have brought nobody a better slice by more than a hundredth.
 */
export async function measure(shape, contestants, { rounds = 20, ms = 10, warm = 60 } = {}) {
  const prepared = [];
  for (const contestant of contestants) {
    prepared.push(await contestant.prepare(shape));
    await prepared.at(-1).slice(warm);
  }
  const rates = contestants.map(() => 0);
  for (let round = 0, still = 0; round < rounds && still < 4; round++) {
    still++;
    for (const [i, { slice }] of prepared.entries()) {
      const rate = await slice(ms);
      if (rate > 1.01 * rates[i]) still = 0;
      rates[i] = Math.max(rates[i], rate);
    }
  }
  for (const { close } of prepared) close();
  return rates;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wanted = process.argv[2] ?? '';
  const files = process.argv.length > 3 ? process.argv.slice(3) : ['build/kernels.wasm'];
  const contestants = files.map((file) => engine({ file }));
  for (const shape of shapes()) {
    const name = `${shape.name} ${shape.op}`;
    if (!name.includes(wanted)) continue;
    const rates = (await measure(shape, contestants)).map((r) => r.toFixed(1).padStart(7));
    console.log(`${name.padEnd(22)} ${[shape.m, shape.n, shape.k].join('×').padEnd(16)}${rates.join('')}`);
  }
}
