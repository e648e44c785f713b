/**
 * Single instructions with forged numbers, each on operands laid out to the byte: where the extents allow it (assembly/abi/ops/), its kernel
 * must not trap, write outside of what it may write, or give other results where everything that it has no business with is changed.
 */

import { readFileSync } from 'node:fs';
import { allow } from '../../assembly/abi/bounds.ts';
import { Head, State } from '../../assembly/abi/head.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { keepsWithin } from '../../assembly/generated/extents.ts';
import { nodesOf } from '../../src/graph/graph.ts';
import type { Compiled } from '../../src/pipeline/compiled.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { SIGNATURES } from '../../src/program/arguments.ts';
import { directCases } from '../ops/direct.ts';
import { forwardCases } from '../ops/forward.ts';
import { planCase, planDirect } from '../ops/table.ts';
import { type FuzzReport, generator, type Random, SPECIAL } from '../wasi/fuzz.ts';
import { compileNetwork, instructions, network } from './network.ts';
import type { Kernels } from './rig.ts';

/** Networks, methods and choices of what is kept that have most operators between them. */
export const NETWORKS: readonly [string, Partial<CompileOptions>][] = [
  ['vit-hf@48', { method: 'bias+prompt+side', weights: 'int8', augment: { shift: 4, flip: true }, pixels: 'f32', microBatch: 2 }],
  [
    'deit-timm',
    { method: 'full', keep: 's2a,gelu=8,qkv=4,softmax=4', optimizer: 'sgd', dropout: 0.1, dropPath: 0.2, tiles: { queries: 5 } },
  ],
  ['swin-hf-pad', { method: 'full', keep: 's2a,ln=8', weights: 'int4', microBatch: 2 }],
  ['swin-timm', { method: 'full', keep: 'exact' }],
  ['resnet50gn-timm', { method: 'full', keep: 's2a,gn=8', tiles: { pixels: 7 } }],
  ['resnet50gn-timm', { method: 'bias', keep: 's2a,gn=4' }],
  ['resnet-hf', { method: 'bias+side', weights: 'int8', microBatch: 3 }],
  ['mobilenetv3-timm', { method: 'full', keep: 's2a,gate=8,input=8' }],
  ['mobilenetv3-timm', { method: 'bias', keep: 's2a,gate=4', weights: 'int8' }],
  ['mobilenetv2-hf', { method: 'full', keep: 's2a,input=4' }],
  ['mobilenetv3-timm', { method: 'full', microBatch: 3, tiles: { rows: 4, pictures: true } }],
  ['vit-hf', { weights: 'int8', streaming: { window: 'layers' } }],
  ['convnext-timm', { method: 'bias+lora:all=1', recompute: new Map([[0, 8]]) }],
  ['mobilenetv2-hf', { method: 'full', rates: 'relative' }],
  ['vit-hf', { method: 'bias+prompt+side', rates: 'relative', optimizer: 'sgd' }],
  ['vit-hf', { method: 'probe', microBatch: 3, task: { name: 'multilabel', constants: { threshold: new Array(5).fill(0.5) } } }],
  ['vit-hf', { method: 'probe', task: { name: 'regress', constants: { mean: new Array(5).fill(3), std: new Array(5).fill(2) } } }],
];

/** Programs that have every operator: those of the networks, and cases of the operator table for what no network here has. */
export function* everyOperator(): Generator<[name: string, compiled: Pick<Compiled, 'graph' | 'plan' | 'program'>]> {
  const seen = new Set<string>();
  for (const [name, options] of NETWORKS) {
    const compiled = compileNetwork(network(name), options);
    for (const { op } of nodesOf(compiled.graph)) seen.add(op);
    yield [`${name} ${JSON.stringify(options)}`, compiled];
  }
  for (const c of directCases) if (!seen.has(c.op)) yield [c.name, planDirect(c)];
  const missing = forwardCases.filter(({ op }) => !seen.has(op));
  // Some of each, first and last among them.
  for (const op of new Set(missing.map((c) => c.op))) {
    const cases = missing.filter((c) => c.op === op);
    const step = Math.max(1, Math.floor(cases.length / 6));
    for (const [i, c] of cases.entries())
      if (i % step === 0 || i === cases.length - 1)
        for (const policy of ['exact', 's2a', ...Object.keys(c.plans ?? {})]) yield [`${c.name}, ${policy}`, planCase(c, policy)];
  }
}

/** The memory of a case: head, code, state block; then operands; scratch last, to the byte. */
const MEMORY = 3 << 19;
const CODE = Head.Bytes;
const STATE = 8192;
const FIRST = 16384;
/** Between operands, and the largest of them: forged ones are kept small. */
const GUARD = 192;
const MOST = 65536;
/** For measuring: an operand, and all others above it. */
const [HERE, ABOVE, FAR] = [1 << 20, 1 << 24, 2 ** 40];

type Args = readonly number[];

/** Whether the instruction keeps within bounds that say no more than these. */
function allowed(op: number, args: Args, { end = FAR, write = 0, scratch = FAR }): boolean {
  // Nothing lies at 0, which means absent.
  allow(16, Math.max(16, write), STATE, end, scratch);
  return keepsWithin(op, (i) => args[i]!);
}

/** The least number that is enough; `most` is. */
function least(most: number, isEnough: (n: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

interface Operand {
  argument: number;
  bytes: number;
  writes: boolean;
}
interface Case {
  op: number;
  args: Args;
  operands: Operand[];
  scratch: number;
}

/** Operands and scratch of an instruction, by what the extents say; undefined where they refuse it, or where it is a large one. */
function measure(op: number, args: Args): Case | undefined {
  const { arguments: list } = SIGNATURES.get(op)!;
  const present = list.flatMap(({ name, kind }, i) => (kind === 'address' && args[i] !== 0 && name !== 'STATE' ? [i] : []));
  /** Operand `i` at HERE, the others at `rest`. */
  const placed = (i: number, rest: number): number[] =>
    args.map((word, k) => (list[k]!.name === 'STATE' ? STATE : k === i ? HERE : present.includes(k) ? rest : word));
  if (!allowed(op, placed(-1, FIRST), {})) return undefined;
  const operands: Operand[] = [];
  for (const argument of present) {
    const words = placed(argument, FIRST);
    if (!allowed(op, words, { end: HERE + MOST })) return undefined;
    const bytes = least(HERE + MOST, (end) => allowed(op, words, { end })) - HERE;
    if (bytes > 0) operands.push({ argument, bytes, writes: !allowed(op, placed(argument, ABOVE), { write: HERE + 16 }) });
  }
  const scratch = least(MEMORY, (n) => allowed(op, placed(-1, FIRST), { scratch: n }));
  return scratch > MEMORY / 4 ? undefined : { op, args, operands, scratch };
}

/** Numbers changed, as a forger would. */
function forged(op: number, args: Args, random: Random): number[] {
  const words = [...args];
  const integers = SIGNATURES.get(op)!.arguments.flatMap(({ kind }, i) => (kind === 'integer' ? [i] : []));
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  if (integers.length > 0)
    for (let n = random(4); n >= 0; n--) {
      const i = pick(integers);
      const now = words[i]!;
      words[i] = pick([now - 1, now + 1, now * 2, now >> 1, now * 3, random(9), random(70), words[pick(integers)]!, pick(SPECIAL)]) | 0;
    }
  // An operand more or less.
  const { kind } = SIGNATURES.get(op)!.arguments[random(args.length)]!;
  if (kind === 'address' && random(6) === 0) words[random(args.length)] = random(2);
  return words;
}

/** The kernel's memory, of which nothing is left to chance. */
function openCase(): { bytes: Uint8Array; kernels: Kernels } {
  const memory = new WebAssembly.Memory({ initial: MEMORY >> 16, maximum: MEMORY >> 16 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync('build/kernels.wasm')), { env: { memory } });
  return { bytes: new Uint8Array(memory.buffer), kernels: exports as unknown as Kernels };
}

export interface Stray extends FuzzReport {
  /** Operators that ran with forged numbers. */
  ran: Set<number>;
}

/** Forges `count` instructions of the networks. */
export function stray({ count, seed, onInput }: { count: number; seed: number; onInput?(n: number): void }): Stray {
  const random = generator(seed);
  const originals = [...everyOperator()].flatMap(([, compiled]) => {
    const words = new DataView(compiled.program.image.buffer);
    return instructions(compiled).map(({ start, end }): [number, Args] => {
      const at = start - compiled.program.programOffset;
      const all = Array.from({ length: (end - start) / 4 }, (_, i) => words.getInt32(at + 4 * i, true));
      return [all[Instruction.Op]!, all.slice(Instruction.Arguments)];
    });
  });
  const byOp = new Map<number, Args[]>();
  for (const [op, args] of originals) byOp.set(op, [...(byOp.get(op) ?? []), args]);
  const ops = [...byOp];
  const { bytes, kernels } = openCase();
  // Every operator as often, whatever networks are made of.
  const noise = new Uint8Array(MEMORY);
  for (let i = 0; i < MEMORY; i += 4) new DataView(noise.buffer).setFloat32(i, (random(4096) - 2048) / 512, true);
  const report: Stray = { readers: { 'single instructions': { refused: 0, passed: 0 } }, failures: [], ran: new Set() };
  const total = report.readers['single instructions']!;
  for (let n = 0; n < count; n++) {
    onInput?.(n);
    const [op, list] = ops[n % ops.length]!;
    const one = measure(op, forged(op, list[random(list.length)]!, random));
    if (one === undefined) {
      total.refused++;
      continue;
    }
    const what = run(one, { bytes, kernels, noise, threads: 1 + random(3) });
    const words = one.args.map((word, i) => `${SIGNATURES.get(op)!.arguments[i]!.name}=${word}`);
    if (what) report.failures.push(`${SIGNATURES.get(op)!.op} ${words.join(' ')}, seed ${seed}, input ${n}: ${what}`);
    total.passed++;
    report.ran.add(op);
  }
  return report;
}

interface Bench {
  bytes: Uint8Array;
  kernels: Kernels;
  noise: Uint8Array;
  threads: number;
}

/** Runs the instruction twice, all that it should not read being other in the second; says what was wrong. */
function run(one: Case, bench: Bench): string | undefined {
  const { arguments: list } = SIGNATURES.get(one.op)!;
  const words = one.args.map((word, i) => (list[i]!.name === 'STATE' ? STATE : word));
  const extents: (Operand & { at: number })[] = [];
  let top = FIRST;
  for (const operand of one.operands) {
    words[operand.argument] = top;
    extents.push({ ...operand, at: top });
    top = (top + operand.bytes + GUARD + 15) & ~15;
  }
  const size = ((one.scratch + 15) & ~15) * bench.threads;
  if (top + size > MEMORY) return undefined;
  const [first, second] = [false, true].map((isOther) => once(one, words, extents, bench, isOther));
  if (typeof first === 'string' || typeof second === 'string') return typeof first === 'string' ? first : (second as string);
  for (const [i, { argument }] of extents.filter(({ writes }) => writes).entries())
    if (!Buffer.from(first![i]!).equals(Buffer.from(second![i]!))) return `${list[argument]!.name} depends on what it should not read`;
  return undefined;
}

/** The bytes of what it writes; or what was wrong. */
function once(
  { op, scratch }: Case,
  words: Args,
  extents: readonly (Operand & { at: number })[],
  bench: Bench,
  isOther: boolean,
): Uint8Array[] | string {
  const { bytes, kernels, noise, threads } = bench;
  const { arguments: list } = SIGNATURES.get(op)!;
  const perThread = (scratch + 15) & ~15;
  const own = MEMORY - perThread * threads;
  bytes.set(noise);
  if (isOther) for (let i = FIRST; i < MEMORY; i += 4) bytes[i + 2]! ^= 0x55;
  for (const { at, bytes: n } of extents) bytes.set(noise.subarray(at, at + n), at);
  // Labels are looked at as numbers of classes.
  for (const { argument, at, bytes: n } of extents) if (list[argument]!.name === 'LABELS') bytes.fill(0, at, at + n);
  bytes.fill(0, 0, CODE);
  bytes.fill(0, STATE, STATE + State.Bytes);
  const code = Int32Array.from([op, Instruction.Arguments + words.length, 0, 0, ...words]);
  bytes.set(new Uint8Array(code.buffer), CODE);
  const before = bytes.slice(FIRST, own);
  try {
    for (let thread = 0; thread < threads; thread++) {
      kernels.setup(0, own, perThread, thread, threads);
      kernels.walk(CODE, CODE + code.byteLength);
    }
  } catch (error) {
    return String(error);
  }
  const after = bytes.slice(FIRST, own);
  for (const { at, bytes: n, writes } of extents) if (writes) after.set(before.subarray(at - FIRST, at - FIRST + n), at - FIRST);
  if (!Buffer.from(after.buffer).equals(Buffer.from(before.buffer))) {
    const at = FIRST + after.findIndex((byte, i) => byte !== before[i]);
    const near = extents.filter((e) => e.at <= at).at(-1);
    return `${near ? list[near.argument]!.name : 'nothing'} is written ${near ? at - near.at : at} bytes from its start, of ${near?.bytes}`;
  }
  return extents.filter(({ writes }) => writes).map(({ at, bytes: n }) => bytes.slice(at, at + n));
}
