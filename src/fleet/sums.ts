/**
 * Sums over a node's pictures of what the classifier reads, from which a server makes the head that ridge regression over all nodes' pictures would:
 *
 *     sums [C, F+1]      row c: Σ x over the pictures of label c, and at its end how many they are
 *     gram [F(F+1)/2]    the upper triangle of Σ x xᵀ, row by row; or, where that is too large,
 *     squares [F]        Σ x²
 *
 * In f64, picture by picture in the order of the listing: the same bytes on every runtime. x is f32, so each product is exact.
 */
import { EngineError, InputError } from '../base/error.ts';
import { turnIfDue } from '../base/pace.ts';
import { type Engine, writeParameter } from '../engine/engine.ts';
import { classifierOf } from '../training/headstart.ts';
import type { JobHooks } from '../training/jobtypes.ts';
import { createRun } from '../training/runner.ts';
import { samplesOf } from '../training/samples.ts';
import { pass, type Samples } from '../training/train.ts';
import type { NumberArray } from './arrays.ts';
import { type Board, countsOf, preparePictures, rowsAmong, withNetwork } from './board.ts';
import type { Tensors } from './tensors.ts';

/** What was summed, over how many pictures: all, and by label. */
export interface Sums {
  arrays: Map<string, NumberArray>;
  count: number;
  counts: number[];
}

interface Wish {
  tensors: Tensors;
  labels: readonly string[];
  kind: 'gram' | 'diagonal';
  seed: number;
}

/** Sums over the pictures to learn from, as the network with these tensors sees them. */
export async function sumsHere(board: Board, { tensors, labels, kind, seed }: Wish, hooks: JobHooks): Promise<Sums> {
  const prepared = await preparePictures(board, hooks);
  try {
    const rows = rowsAmong(board.job.data, prepared.classes, labels);
    const samples = samplesOf(prepared.cache, prepared.train, rows, labels.length);
    const arrays = await withNetwork(board, { labels: labels.length, seed }, async (engine) => {
      for (const record of engine.program.parameters) writeParameter(engine, record, tensors.get(record.name)!.values as Float32Array);
      return sumFeatures(engine, samples, labels.length, kind);
    });
    return { arrays, count: prepared.train.length, counts: countsOf(board, prepared, prepared.train, labels) };
  } finally {
    prepared.cache.close();
  }
}

async function sumFeatures(engine: Engine, samples: Samples, labels: number, kind: Wish['kind']): Promise<Map<string, NumberArray>> {
  const found = classifierOf(engine.program, createRun(engine, { train: samples.count }));
  if (found === undefined)
    throw new InputError({ where: 'server', what: 'asks for sums of features, and this network has no linear classifier' });
  const { at, x, features } = found;
  const all = new Float64Array(sumsLength(labels, features, kind));
  const [sums, second] = [all.subarray(0, labels * (features + 1)), all.subarray(labels * (features + 1))];
  const add = kind === 'gram' ? addOuter : addSquares;
  const { microBatch } = engine.program.about;
  for (let from = 0; from < samples.count; from += microBatch) {
    const indices = Array.from({ length: Math.min(microBatch, samples.count - from) }, (_, i) => from + i);
    await pass(engine, { phase: 'eval', until: at }, indices, samples);
    for (const [i, index] of indices.entries()) {
      const row = new Float32Array(engine.memory.buffer, x + 4 * features * i, features);
      if (!row.every(Number.isFinite)) throw new EngineError({ where: 'head', what: 'reads features that are NaN or infinite' }, true);
      const base = samples.label(index) * (features + 1);
      for (let f = 0; f < features; f++) sums[base + f]! += row[f]!;
      sums[base + features]! += 1;
      add(second, row);
    }
    await turnIfDue();
  }
  return sumsIn(all, labels, features, kind);
}

/** Numbers of both arrays together. */
export const sumsLength = (labels: number, features: number, kind: Wish['kind']): number =>
  labels * (features + 1) + (kind === 'gram' ? (features * (features + 1)) / 2 : features);

/** Both arrays, of numbers that lie one behind the other. */
export function sumsIn(all: Float64Array<ArrayBuffer>, labels: number, features: number, kind: Wish['kind']): Map<string, NumberArray> {
  const split = labels * (features + 1);
  return new Map<string, NumberArray>([
    ['sums', { shape: [labels, features + 1], values: all.slice(0, split) }],
    [kind === 'gram' ? 'gram' : 'squares', { shape: [all.length - split], values: all.slice(split) }],
  ]);
}

function addOuter(into: Float64Array, row: Float32Array): void {
  let at = 0;
  for (let i = 0; i < row.length; i++) for (let j = i; j < row.length; j++) into[at++]! += row[i]! * row[j]!;
}

function addSquares(into: Float64Array, row: Float32Array): void {
  for (let i = 0; i < row.length; i++) into[i]! += row[i]! * row[i]!;
}
