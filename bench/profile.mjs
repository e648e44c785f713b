// Where a training step goes, by kind of operator and by instruction, one thread:
//   node bench/profile.mjs [vit-tiny|vit-small|mobilenetv2 …]
//   --keep s2a|exact   --method bias|probe|full   --batch 8   --micro-batch n   --image-size 224   --rounds 3   --top 12 (slowest instructions)   --json
// Every instruction is run by itself, some rounds over, and its fastest run counts: whatever else the machine does only adds.
// Matrix products come with GFLOP/s.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { processorTime } from './clock.mjs';
import { instructions, NETWORKS, openNetwork, sources } from './network.mjs';

/** Multiplications and additions of one instruction; 0 where it is not a matter of them. Argument places: assembly/abi/ops/. */
function flops({ op, args }) {
  const product = (from, to) => args.slice(from, to).reduce((a, b) => a * b, 1);
  switch (op) {
    case 'Linear':
    case 'LinearBackwardX':
      return 2 * product(4, 7);
    case 'LinearBackwardW':
      return 2 * product(3, 6);
    case 'Conv':
      return 2 * args[4] * product(7, 13);
    case 'Attention':
      return 4 * args[7] * args[8] ** 2 * args[9];
    case 'AttentionBackward':
      return 10 * args[7] * args[8] ** 2 * args[9];
    default:
      return 0;
  }
}

/**
 * Runs whole steps, instruction by instruction: every instruction with its fastest time in ms a step.
 *
 * @param {any} source
 * @param {string} name
 * @param {{ rounds?: number, [option: string]: any }} [options]
 */
export function profile(source, name, { rounds = 3, ...options } = {}) {
  const network = openNetwork(source, name, options);
  const { about } = network.program;
  const { walk } = network;
  if (walk === undefined) throw new Error('a profile is one thread’s');
  const list = ['train', 'update'].flatMap((phase) => instructions(network, phase, source));
  for (const i of list) i.ms = Infinity;
  for (let round = 0; round < rounds + 1; round++)
    for (const i of list) {
      const began = processorTime();
      const status = walk(i.start, i.end);
      const ms = (processorTime() - began) * (i.phase === 'train' ? network.passes : 1);
      if (status !== 0) throw new Error(`${i.node}: status ${status}`);
      if (round > 0) i.ms = Math.min(i.ms, ms);
    }
  for (const i of list) i.gflops = (flops(i) * (i.phase === 'train' ? network.passes : 1)) / i.ms / 1e6;
  return { name, microBatch: about.microBatch, keep: about.keep, method: about.method, instructions: list };
}

/** By kind: [{ op, calls, ms, share, gflops }], slowest first. */
export function byOp({ instructions }) {
  const total = instructions.reduce((sum, i) => sum + i.ms, 0);
  const kinds = new Map();
  for (const i of instructions) {
    const k = kinds.get(i.op) ?? { op: i.op, calls: 0, ms: 0, work: 0 };
    kinds.set(i.op, { op: i.op, calls: k.calls + 1, ms: k.ms + i.ms, work: k.work + i.gflops * i.ms });
  }
  return [...kinds.values()].map(({ work, ...k }) => ({ ...k, share: k.ms / total, gflops: work / k.ms })).sort((a, b) => b.ms - a.ms);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      keep: { type: 'string', default: 's2a' },
      method: { type: 'string', default: 'bias' },
      batch: { type: 'string', default: '8' },
      'micro-batch': { type: 'string' },
      'image-size': { type: 'string', default: '224' },
      rounds: { type: 'string', default: '3' },
      top: { type: 'string', default: '12' },
      wasm: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const source = await sources();
  const cell = (n, w, digits = 1) => n.toFixed(digits).padStart(w);
  for (const name of positionals.length > 0 ? positionals : Object.keys(NETWORKS).filter((n) => n !== 'vit-small')) {
    const result = profile(source, name, {
      keep: values.keep,
      method: values.method,
      batch: Number(values.batch),
      imageSize: Number(values['image-size']),
      rounds: Number(values.rounds),
      ...(values['micro-batch'] ? { microBatch: Number(values['micro-batch']) } : {}),
      ...(values.wasm ? { wasm: readFileSync(values.wasm) } : {}),
    });
    const kinds = byOp(result);
    if (values.json) {
      console.log(JSON.stringify({ ...result, instructions: undefined, kinds }));
      continue;
    }
    const total = kinds.reduce((sum, k) => sum + k.ms, 0);
    console.log(
      `\n${name}, method ${result.method}, keep ${result.keep}, batch ${values.batch} in passes of ${result.microBatch}: ${total.toFixed(0)} ms a step`,
    );
    console.log('operator              calls      ms   share  GFLOP/s');
    for (const k of kinds)
      if (k.share >= 0.001)
        console.log(
          `${k.op.padEnd(20)}${String(k.calls).padStart(7)}${cell(k.ms, 8)}${cell(100 * k.share, 7)}%${k.gflops > 0 ? cell(k.gflops, 9) : ''}`,
        );
    console.log(`the slowest instructions`);
    for (const i of result.instructions.toSorted((a, b) => b.ms - a.ms).slice(0, Number(values.top)))
      console.log(
        `${cell(i.ms, 8, 2)} ms${i.gflops > 0 ? cell(i.gflops, 7) : '       '}  ${i.op.padEnd(20)} ${i.node}  ${[...i.args].filter((a) => a > 0 && a < 60000).join(' ')}`,
      );
  }
}
