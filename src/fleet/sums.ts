/**
 * Sums over a node's pictures of what the classifier reads, from which a server makes the head that ridge regression over all nodes' pictures would:
 *
 *     sums [C, F+1]      row c: Σ x over the pictures of label c, of those that have any here, and at its end how many they are
 *     gram [F(F+1)/2]    the upper triangle of Σ (x−m)(x−m)ᵀ, row by row, m the mean over the node's pictures; or, where that is too large,
 *     squares [F]        its diagonal
 *
 * Summed in f64, picture by picture in the order of the listing, and rounded to f32 once: the same bytes on every runtime. About the node's own mean, since f32 has
 * no digits to spare for what all features have in common; the server puts the nodes' means back.
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
      add(second, row, 1);
    }
    await turnIfDue();
  }
  return sumsIn(all, labels, features, kind);
}

/** Numbers of both arrays together. */
export const sumsLength = (labels: number, features: number, kind: Wish['kind']): number =>
  labels * (features + 1) + (kind === 'gram' ? (features * (features + 1)) / 2 : features);

/**
 * What is sent, of numbers that lie one behind the other: of all labels the sum and the count, then Σ x xᵀ or Σ x² about zero. `all` is written over.
 */
export function sumsIn(all: Float64Array<ArrayBuffer>, labels: number, features: number, kind: Wish['kind']): Map<string, NumberArray> {
  const width = features + 1;
  const [sums, second] = [all.subarray(0, labels * width), all.subarray(labels * width)];
  const total = new Float64Array(width);
  for (const [i, value] of sums.entries()) total[i % width]! += value;
  const mean = total.subarray(0, features).map((value) => value / total[features]!);
  const add = kind === 'gram' ? addOuter : addSquares;
  add(second, mean, -total[features]!);
  const rows = Array.from({ length: labels }, (_, row) => sums.subarray(row * width, (row + 1) * width)).filter(
    (row) => row[features]! > 0,
  );
  return new Map<string, NumberArray>([
    ['sums', { shape: [rows.length, width], values: Float32Array.from(rows.flatMap((row) => [...row])) }],
    [kind === 'gram' ? 'gram' : 'squares', { shape: [second.length], values: Float32Array.from(second) }],
  ]);
}

/** Adds `times` x·xᵀ. */
function addOuter(into: Float64Array, x: ArrayLike<number>, times: number): void {
  let at = 0;
  for (let i = 0; i < x.length; i++) for (let j = i; j < x.length; j++) into[at++]! += times * (x[i]! * x[j]!);
}

/** Adds `times` x². */
function addSquares(into: Float64Array, x: ArrayLike<number>, times: number): void {
  for (let i = 0; i < x.length; i++) into[i]! += times * (x[i]! * x[i]!);
}
