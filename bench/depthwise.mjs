// Depthwise 3×3 on MobileNetV2's shapes at 224×224 (batch 1, one thread): the engine's kernels, and the forward against im2col with a dot
// product. node bench/depthwise.mjs, after npm run build.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { processorTime } from './clock.mjs';
import { openKernels } from './kernels.mjs';

// [H = W, C, stride] and how often MobileNetV2 1.0 has it; assembly/abi/ops.ts numbers the operators.
const shapes = [
  [112, 32, 1],
  [112, 96, 2],
  [56, 144, 1],
  [56, 144, 2],
  [28, 192, 1],
  [28, 192, 2],
  [14, 384, 1],
  [14, 576, 1],
  [14, 576, 2],
  [7, 960, 1],
];

/** The fastest of the rounds: whatever else the machine does only adds. */
const fastest = (values) => Math.min(...values);

/**
 * Times every shape `rounds` times, the variants by turns, and returns the fastest in ns an output:
 * [{ shape, forward, im2col, ratio, backwardX, backwardW }].
 */
export function benchDepthwise({ rounds = 25, ops = opNumbers() } = {}) {
  const memory = new WebAssembly.Memory({ initial: 640, maximum: 65536 });
  const kernels = openKernels(memory, { offset: 4096, bytes: 4096 });
  return shapes.map(([h, c, stride]) => {
    const oh = Math.ceil(h / stride);
    const outputs = oh * oh * c;
    let top = 16384;
    const take = (n) => {
      const at = top;
      top = (top + n * 4 + 63) & ~63;
      const missing = top - memory.buffer.byteLength;
      if (missing > 0) memory.grow((missing + 65535) >> 16);
      const view = new Float32Array(memory.buffer, at, n);
      for (let i = 0; i < n; i++) view[i] = ((i * 2654435761) % 1000) / 500 - 1;
      return at;
    };
    const [x, w, dw, b, dx, y, other, patches] = [h * h * c, 9 * c, 9 * c, c, h * h * c, outputs, outputs, 9 * oh * c].map(take);
    const shape = [1, h, h, c, oh, oh, 3, 3, stride, 1, 1];
    const code = 8192;
    const run = (op, args) => {
      const words = [op, 4 + args.length, 0, 0, ...args];
      new Int32Array(memory.buffer, code, words.length).set(words);
      return () => kernels.walk(code, code + words.length * 4);
    };
    const variants = {
      forward: () => run(ops.Depthwise, [x, w, b, y, ...shape, 0]),
      im2col: () => () => kernels.im2colDepthwise(x, w, other, h, c, oh, stride, patches),
      backwardX: () => run(ops.DepthwiseBackwardX, [y, w, dx, ...shape, 0]),
      backwardW: () => run(ops.DepthwiseBackwardW, [y, x, dw, ...shape]),
    };
    const times = { forward: [], im2col: [], backwardX: [], backwardW: [] };
    const repeats = Math.max(1, Math.round(5e5 / outputs));
    for (let round = -3; round < rounds; round++)
      for (const [name, prepare] of Object.entries(variants)) {
        const once = prepare();
        const began = processorTime();
        for (let i = 0; i < repeats; i++) once();
        if (round >= 0) times[name].push(((processorTime() - began) * 1e6) / repeats / outputs);
      }
    const [forward, im2col, backwardX, backwardW] = [times.forward, times.im2col, times.backwardX, times.backwardW].map(fastest);
    return { shape: `${h}×${h}×${c}/${stride}`, forward, im2col, backwardX, backwardW, ratio: im2col / forward };
  });
}

/** The operators' numbers, read from the contract itself. */
function opNumbers() {
  const body = (/enum Op \{([^}]*)\}/.exec(readFileSync('assembly/abi/ops.ts', 'utf8'))?.[1] ?? '').replace(/\/\/.*/g, '');
  let next = 0;
  const entries = body.split(',').map((entry) => entry.trim());
  return Object.fromEntries(
    entries.filter(Boolean).map((entry) => {
      const [name, value] = entry.split('=').map((part) => part.trim());
      next = value === undefined ? next + 1 : Number(value);
      return [name, next];
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log('shape            forward   im2col    ratio  backwardX  backwardW   (ns an output)');
  for (const row of benchDepthwise()) {
    const cells = [row.forward, row.im2col, row.ratio, row.backwardX, row.backwardW].map((v) => v.toFixed(2).padStart(8));
    console.log(row.shape.padEnd(15), cells.join(' '));
  }
}
