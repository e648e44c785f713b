// ns per element of the activation kernels, plain and coded side by side: node bench/elementwise.mjs [--repeats 60]
// 64 Ki elements (they stay in the cache: arithmetic is what is compared), every variant once a round, medians over the rounds.
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { processorTime } from './clock.mjs';

const entry = `export { openRig } from './test/support/rig.ts'; export { numbers } from './test/support/close.ts'; export { tables } from './src/passes/codebooktables.ts';
export { codebookBytes } from './src/passes/codebook.ts'; export { Keep } from './assembly/abi/keep.ts';
export { Op } from './assembly/abi/ops.ts'; export { Kind } from './assembly/generated/kinds.ts';`;
await build({
  stdin: { contents: entry, resolveDir: '.', loader: 'ts' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  outfile: 'build/bench/elementwise.js',
});
const { openRig, numbers, tables, codebookBytes, Keep, Kind, Op } = await import(pathToFileURL('build/bench/elementwise.js').href);

const at = process.argv.indexOf('--repeats');
const rounds = at > 0 ? Number(process.argv[at + 1]) : 60;
const n = 65536;
const rig = openRig(8 << 20, 1 << 16);
const x = rig.f32(numbers(n, 1, 1.5));
const y = rig.f32(n);
const dy = rig.f32(numbers(n, 2));
const kept = rig.u8(n / 2);
const variants = [];
for (const name of ['Gelu', 'GeluTanh', 'Silu', 'HardSwish', 'Sigmoid', 'Tanh', 'Relu6']) {
  const kind = Kind[name];
  const table = tables[kind] ? rig.u8(codebookBytes(tables[kind])) : 0;
  const coded = table ? Keep.Code4 : Keep.Bit1;
  variants.push(
    { name, what: 'forward', run: instruction(Op.Activation, [x, y, 0, kind, Keep.Value, n, 0]) },
    { name, what: 'forward coded', run: instruction(Op.Activation, [x, y, kept, kind, coded, n, table]) },
    { name, what: 'backward', run: instruction(Op.ActivationBackward, [x, dy, y, kind, Keep.Value, n, 0]) },
    { name, what: 'backward coded', run: instruction(Op.ActivationBackward, [kept, dy, y, kind, coded, n, table]) },
  );
}

/** A function that runs one instruction, laid down once. */
function instruction(op, args) {
  const code = rig.i32([op, 4 + args.length, 0, 0, ...args]);
  return () => rig.kernels.walk(code, code + (4 + args.length) * 4);
}

for (const v of variants) v.times = [];
for (let round = 0; round < rounds; round++)
  for (const v of variants) {
    const began = processorTime();
    if (v.run() !== 0) throw new Error(`${v.name} ${v.what}: the kernel failed`);
    v.times.push(((processorTime() - began) * 1e6) / n);
  }
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
console.log(`Node ${process.version}, ns per element\n${'kind'.padEnd(12)}forward  coded  ratio   backward  coded  ratio`);
for (let i = 0; i < variants.length; i += 4) {
  const [f, fc, b, bc] = variants.slice(i, i + 4).map((v) => median(v.times));
  const cell = (v, w) => v.toFixed(2).padStart(w);
  console.log(`${variants[i].name.padEnd(12)}${cell(f, 7)}${cell(fc, 7)}${cell(fc / f, 7)}${cell(b, 11)}${cell(bc, 7)}${cell(bc / b, 7)}`);
}
