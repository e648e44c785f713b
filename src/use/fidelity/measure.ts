/**
 * How true the gradients of a policy are: the same parameters, the same pictures, once with what the policy keeps and once with f32.
 *
 * First some steps are trained under `exact`, since at step 0 half of what learns has no gradient yet. Then the gradients of whole
 * optimizer steps are compared, each tensor's over all of them as one long vector. The head's is left out (its input is kept exactly or nearly
 * so, and it would outweigh the rest), and so is a tensor whose exact gradient is zero but for rounding.
 */

import { State } from '../../../assembly/abi/head.ts';
import { compile } from '../../compile.ts';
import { createEngine, type Engine, readParameter, writeParameter } from '../../engine/engine.ts';
import { engineBytes } from '../../engine/wasm.ts';
import { ABSENT, type Graph, rootOf } from '../../graph/graph.ts';
import type { Compiled } from '../../pipeline/compiled.ts';
import type { CompileOptions } from '../../pipeline/options.ts';
import { keptValues } from '../../plan/memory.ts';
import { headNames } from '../../training/adapter.ts';
import { History } from '../../training/history.ts';
import { hasRelativeRates, measureRates } from '../../training/measure.ts';
import { fill, type Samples, startRun, type TrainOptions, train } from '../../training/train.ts';

/** Agreement of gradients: over all of a part's tensors as one vector. */
export interface Agreement {
  /** 1: the same direction. */
  cosine: number;
  /** ‖policy - exact‖ / ‖exact‖. */
  error: number;
  /** Norm of the exact gradient. */
  norm: number;
  /** Learnable tensors in it. */
  tensors: number;
}

/** How far the gradients of one module of a block agree. */
export interface ModuleFidelity extends Agreement {
  /** bias, prompt, side, lora, weight, scale, embedding. */
  module: string;
}

/** How far a block's gradients agree, and what the policy keeps of it. */
export interface BlockFidelity extends Agreement {
  /** -1: before the first block; the number of blocks: after the last. */
  block: number;
  /** The same by module. */
  modules: ModuleFidelity[];
  /** Bytes a picture that the policy keeps of this block. */
  keptBytes: number;
  /** Bytes a picture that `exact` keeps of it. */
  exactBytes: number;
  /** Bits for each number that `exact` keeps as f32. */
  bits: number;
}

/** How far the gradients of a policy agree with those of `exact`: whole, block by block, module by module. */
export interface Fidelity {
  /** The architecture's name. */
  model: string;
  /** What learns, as a method's text. */
  method: string;
  /** The policy, as text. */
  keep: string;
  /** Steps trained under `exact` before. */
  steps: number;
  /** Pictures whose gradients were compared. */
  pictures: number;
  /** Blocks of the network. */
  blocksCount: number;
  /** Over all of it but the head; bytes are of one picture. */
  whole: Agreement & { keptBytes: number; exactBytes: number; bits: number };
  /** From the first to the last in which something learns. */
  blocks: BlockFidelity[];
  /** The module that agrees least. */
  least: { block: number; module: string; cosine: number };
  /** Tensors whose exact gradient is zero: not part of any number here. */
  zero: string[];
}

export interface FidelityOptions {
  compile: CompileOptions;
  train: TrainOptions & { rate: number };
  /** Steps trained under `exact` before; 0 for none. */
  steps: number;
  /** Optimizer steps whose gradients are compared. */
  batches: number;
  samples: Samples;
  /** Makes a fresh engine ready: weights, and an adapter where there is one. */
  prepare(engine: Engine): void;
  /** Replaces the policy's derivative tables, in an engine that stands where `prepare` left it. */
  tables?(engine: Engine, compiled: Compiled): Promise<void>;
  onStep?(done: number, total: number): void;
}

/** Gradients below this share of the whole one are rounding of zero. */
const ZERO = 1e-6;

/** Compares; one engine at a time is in memory. */
export async function measureFidelity(options: FidelityOptions): Promise<Fidelity> {
  const { steps, batches, samples } = options;
  const total = steps + 2 * batches;
  const exact = compile({ ...options.compile, keep: 'exact' });
  const policy = compile({ ...options.compile, ownTables: options.tables !== undefined });
  const first = createEngine(exact.program, engineBytes());
  options.prepare(first);
  if (steps > 0) await learn(first, options, (step) => options.onStep?.(step, total));
  const learnt = new Map(first.program.parameters.map((record) => [record.name, readParameter(first, record)]));
  const wanted = gradientsOf(first, options, (i) => options.onStep?.(steps + i, total));

  const second = createEngine(policy.program, engineBytes());
  options.prepare(second);
  await options.tables?.(second, policy);
  for (const record of second.program.parameters) writeParameter(second, record, learnt.get(record.name)!);
  const got = gradientsOf(second, options, (i) => options.onStep?.(steps + batches + i, total));
  const pictures = Math.min(samples.count, batches * options.train.batchSize);
  return summarise(options, { exact, policy, wanted, got, head: headNames(policy.program), pictures });
}

async function learn(engine: Engine, { steps, samples, train: settings }: FidelityOptions, told: (step: number) => void): Promise<void> {
  const epochs = Math.ceil(steps / Math.ceil(samples.count / settings.batchSize));
  const options = { ...settings, epochs };
  startRun(engine, options, samples.count);
  if (hasRelativeRates(engine.program)) await measureRates(engine, samples, options.seed);
  let done = 0;
  const none: Samples = { count: 0, label: () => 0, readInto: () => {} };
  await train(engine, { train: samples, val: none }, options, new History(), {
    onStep: ({ step }) => {
      done = step;
      told(step);
    },
    stopping: () => done >= steps,
  });
}

/** Gradients of one optimizer step after the other, without taking it: by parameter, one vector for each step. */
function gradientsOf(
  engine: Engine,
  { batches, samples, train: { batchSize } }: FidelityOptions,
  told: (done: number) => void,
): Map<string, Float32Array[]> {
  const { microBatch } = engine.program.about;
  const { parameters } = engine.program;
  const found = new Map<string, Float32Array[]>(parameters.map((record) => [record.name, []]));
  // Pictures in an order of their own: a folder's would be one class after the other.
  const order = Array.from({ length: samples.count }, (_, i) => engine.sampleAt(i, samples.count, 1, 0));
  for (let batch = 0; batch < batches && batch * batchSize < samples.count; batch++) {
    clearGradients(engine);
    const end = Math.min(samples.count, (batch + 1) * batchSize);
    engine.state.setFloat32(State.LossScale, 1 / (end - batch * batchSize), true);
    for (let at = batch * batchSize; at < end; at += microBatch) {
      fill(engine, Math.min(microBatch, end - at), (row) => order[at + row]!, samples);
      engine.run('train');
    }
    for (const record of parameters) found.get(record.name)!.push(readParameter(engine, record, record.gradient));
    told(batch + 1);
  }
  clearGradients(engine);
  return found;
}

function clearGradients(engine: Engine): void {
  for (const { gradient, dims } of engine.program.parameters)
    new Float32Array(engine.memory.buffer, gradient, dims[0] * dims[1] * dims[2]).fill(0);
}

/** Sums of products that agreements are made of, and can be added. */
interface Sums {
  dot: number;
  exact: number;
  policy: number;
  difference: number;
  tensors: number;
}

const noSums = (): Sums => ({ dot: 0, exact: 0, policy: 0, difference: 0, tensors: 0 });

function addTo(sums: Sums, more: Sums): void {
  for (const key of ['dot', 'exact', 'policy', 'difference', 'tensors'] as const) sums[key] += more[key];
}

function sumsOf(got: readonly Float32Array[], wanted: readonly Float32Array[]): Sums {
  const sums = { ...noSums(), tensors: 1 };
  wanted.forEach((list, batch) => {
    list.forEach((w, i) => {
      const g = got[batch]![i]!;
      sums.dot += g * w;
      sums.exact += w * w;
      sums.policy += g * g;
      sums.difference += (g - w) ** 2;
    });
  });
  return sums;
}

const agreement = ({ dot, exact, policy, difference, tensors }: Sums): Agreement => ({
  cosine: difference === 0 ? 1 : dot / Math.sqrt(exact * policy),
  error: exact > 0 ? Math.sqrt(difference / exact) : 0,
  norm: Math.sqrt(exact),
  tensors,
});

interface Measured {
  exact: Compiled;
  policy: Compiled;
  wanted: Map<string, Float32Array[]>;
  got: Map<string, Float32Array[]>;
  head: readonly string[];
  pictures: number;
}

function summarise({ compile: { model }, steps }: FidelityOptions, { exact, policy, wanted, got, head, pictures }: Measured): Fidelity {
  const { about } = policy.program;
  const parts = new Map(policy.graph.values.filter((v) => v.role === 'param').map((v) => [v.name, v]));
  const sums = new Map([...wanted].filter(([name]) => !head.includes(name)).map(([name, list]) => [name, sumsOf(got.get(name)!, list)]));
  const everything = [...sums.values()].reduce((n, s) => n + s.exact, 0);
  const whole = noSums();
  const blocks = new Map<number, Map<string, Sums>>();
  const zero: string[] = [];
  for (const [name, one] of sums) {
    if (one.exact <= ZERO ** 2 * everything) {
      zero.push(name);
      continue;
    }
    addTo(whole, one);
    const { block, module } = placeOf(name, parts.get(name)!);
    const modules = blocks.get(block) ?? new Map<string, Sums>();
    const sum = modules.get(module) ?? noSums();
    addTo(sum, one);
    blocks.set(block, modules.set(module, sum));
  }
  const [kept, keptExact] = [policy, exact].map(({ graph }) => keptByBlock(graph)) as [Map<number, number>, Map<number, number>];
  const bytes = (block?: number) => {
    const of = (map: Map<number, number>): number =>
      Math.round((block === undefined ? [...map.values()].reduce((a, b) => a + b, 0) : (map.get(block) ?? 0)) / about.microBatch);
    const [keptBytes, exactBytes] = [of(kept), of(keptExact)];
    return { keptBytes, exactBytes, bits: exactBytes > 0 ? (32 * keptBytes) / exactBytes : 0 };
  };
  const rows = [...blocks]
    .sort(([a], [b]) => a - b)
    .map(([block, modules]): BlockFidelity => {
      const sum = noSums();
      for (const one of modules.values()) addTo(sum, one);
      const list = [...modules].map(([module, one]) => ({ module, ...agreement(one) }));
      return { block, ...agreement(sum), modules: list, ...bytes(block) };
    });
  const all = rows.flatMap(({ block, modules }) => modules.map(({ module, cosine }) => ({ block, module, cosine })));
  return {
    model: model.type,
    method: about.method,
    keep: about.keep,
    steps,
    pictures,
    blocksCount: Math.max(0, ...policy.graph.phases.train.map((n) => n.block)),
    whole: { ...agreement(whole), ...bytes() },
    blocks: rows,
    least: all.reduce((a, b) => (b.cosine < a.cosine ? b : a), all[0] ?? { block: 0, module: '', cosine: 1 }),
    zero,
  };
}

/** Block and module of a parameter. A side block's tensors are declared when the next one begins: their names tell. */
function placeOf(name: string, { block, kind }: { block?: number; kind?: string }): { block: number; module: string } {
  const found = /^(side|prompt)\.(\d+)\./.exec(name);
  if (found) return { block: Number(found[2]), module: found[1]! };
  return { block: block!, module: name.startsWith('lora.') ? 'lora' : kind! };
}

/** Bytes kept for backward, by the block whose forward pass made them. */
function keptByBlock(graph: Graph): Map<number, number> {
  const kept = keptValues(graph);
  const by = new Map<number, number>();
  for (const node of graph.phases.train) {
    if (node.isBackward) continue;
    for (const id of node.outputs)
      if (id !== ABSENT && kept.has(rootOf(graph, id))) by.set(node.block, (by.get(node.block) ?? 0) + graph.values[id]!.bytes);
  }
  return by;
}
