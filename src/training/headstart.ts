/**
 * The head before the first step: one pass of the evaluation phase over the pictures gives what the classifier reads, and the engine makes
 * ridge regression's rows of it (assembly/ridge/ridge.ts). The WASI program does the same with the same code (targets/wasi/headstart.ts).
 *
 * Features lie in a file of the run's folder while the engine asks for them row by row: n × F × 4 bytes, gone when the head is written.
 */
import { rmSync } from 'node:fs';
import { Found, Want } from '../../assembly/abi/ridge.ts';
import { countClass } from '../../assembly/runner/classes.ts';
import * as head from '../../assembly/runner/head.ts';
import { Part, type Run } from '../../assembly/runner/run.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { EngineError } from '../base/error.ts';
import { openStore } from '../base/files.ts';
import { turnIfDue } from '../base/pace.ts';
import type { Engine, Ridge } from '../engine/engine.ts';
import { numel } from '../graph/graph.ts';
import { type MethodLike, methodOf } from '../network/method.ts';
import type { Program } from '../program/program.ts';
import { createRun } from './runner.ts';
import { pass, type Samples } from './train.ts';

export const HEAD_STARTS = ['ridge', 'zero'] as const;
export type HeadStart = (typeof HEAD_STARTS)[number];

/**
 * Where nothing is said. Under `probe` ridge regression was never worse (docs/design.md); where more than the head learns it gained nothing that
 * lasts, so the pass is spared.
 */
export const usualHead = (method: MethodLike = DEFAULTS.method): HeadStart => (methodOf(method).base === 'probe' ? 'ridge' : 'zero');

/** What the head starts from. */
export interface HeadFound {
  /** How many pictures it was made of. */
  pictures: number;
  /** How many pictures there were. */
  of: number;
  /** λ over the mean square of the features about their mean. */
  lambda: number;
  /** The factor on the logits. */
  factor: number;
  /** Of predictions of pictures that were left out; absent where classes have too few for that. */
  leftOut?: { count: number; accuracy: number; loss: number };
}

/** Where nothing was written: the head starts at zero, and why. */
export interface NoHead {
  /** The reason, as a part of a sentence. */
  why: string;
}

/** The choice as settings name it: not at all where it is the usual one. */
export const unusualHead = (start: HeadStart, method?: MethodLike): HeadStart | undefined =>
  start === usualHead(method) ? undefined : start;

/** Features that come from no picture (src/training/memory/held.ts). */
export interface FeatureSource {
  count: number;
  label(i: number): number;
  fill(i: number, target: Float32Array): void;
}

/** The head and what it was made of: the i-th row of features is of class `labels[i]`; weight [classes, features] and bias may be written. */
export interface HeadRows {
  features: number;
  labels: readonly number[];
  /** The array is used again for the next. */
  read(i: number): Float32Array;
  weight: Float32Array;
  bias: Float32Array;
}

interface HeadOptions {
  /** The features' file. */
  path: string;
  /** Rows before it are an adapter's, and stay. */
  first?: number;
  /** For classes of which there is no picture. */
  drawn?: FeatureSource | undefined;
  /** Sees the head when it is made. */
  settle?: ((rows: HeadRows) => void) | undefined;
}

/** Writes the rows from `first` on. */
export async function startHead(
  engine: Engine,
  samples: Samples,
  { path, first = 0, drawn, settle }: HeadOptions,
): Promise<HeadFound | NoHead> {
  const { classes } = engine.program.about;
  const total = samples.count + (drawn?.count ?? 0);
  const run = createRun(engine, { train: total });
  const found = classifierOf(engine.program, run);
  if (found === undefined) throw new EngineError({ where: 'program', what: 'has no classifier to start' });
  const { weight, bias, at, x, features } = found;
  const room = roomOf(engine.program);
  const { ridge, memory } = engine;
  const labels = Int32Array.from({ length: total }, (_, i) => (i < samples.count ? samples.label(i) : drawn!.label(i - samples.count)));
  const n = ridge.ridgePictures(room.bytes, total, features, classes);
  const chosen = chooseEvenly(run, labels, n);
  if (n === 0 || chosen.length < 2) return { why: 'the plan has no room for the regression' };
  const store = openStore(path, 4 * features * chosen.length);
  try {
    const { microBatch } = engine.program.about;
    const pictures = chosen.filter((i) => i < samples.count);
    for (let from = 0; from < pictures.length; from += microBatch) {
      const indices = pictures.slice(from, from + microBatch);
      await pass(engine, { phase: 'eval', until: at }, indices, samples);
      store.writeAt(4 * features * from, new Uint8Array(memory.buffer, x, 4 * features * indices.length));
      await turnIfDue();
    }
    const one = new Float32Array(features);
    for (let i = pictures.length; i < chosen.length; i++) {
      drawn!.fill(chosen[i]! - samples.count, one);
      store.writeAt(4 * features * i, new Uint8Array(one.buffer));
    }
    ridge.ridgeBegin(room.offset, chosen.length, features, classes, weight.offset, bias.offset, weight.gradient, first, room.bytes);
    const row = new Uint8Array(memory.buffer, ridge.ridgeRow(), 4 * features);
    let wanted = ridge.ridgeNext(0);
    while (wanted >= 0) {
      await turnIfDue();
      store.readAt(4 * features * wanted, row);
      wanted = ridge.ridgeNext(labels[chosen[wanted]!]!);
    }
    if (wanted === Want.Constant) return { why: 'what it reads is the same for every picture, or of one class alone' };
    if (wanted === Want.NotFinite)
      throw new EngineError({ where: 'head', what: 'reads features that are NaN or infinite', hint: '--head zero starts without them' });
    settle?.({
      features,
      labels: chosen.map((i) => labels[i]!),
      read(i) {
        store.readAt(4 * features * i, new Uint8Array(one.buffer));
        return one;
      },
      weight: new Float32Array(memory.buffer, weight.offset, classes * features),
      bias: new Float32Array(memory.buffer, bias.offset, classes),
    });
    return foundBy(ridge, chosen.length, total);
  } finally {
    store.close();
    rmSync(path, { force: true });
  }
}

function foundBy(ridge: Ridge, pictures: number, of: number): HeadFound {
  const count = ridge.ridgeFound(Found.LeftOut);
  return {
    pictures,
    of,
    lambda: ridge.ridgeFound(Found.Relative),
    factor: ridge.ridgeFound(Found.Factor),
    ...(count > 0 ? { leftOut: { count, accuracy: ridge.ridgeFound(Found.Right), loss: ridge.ridgeFound(Found.Loss) } } : {}),
  };
}

/** At most `most` of the pictures, in their order: as many of each class as can be, the first of it. */
export function chooseEvenly(run: Run, labels: Int32Array, most: number): number[] {
  for (const label of labels) countClass(run, Part.Learn, label);
  const quota = head.quotaOf(run, most);
  return [...labels.keys()].filter((i) => head.isTaken(run, labels[i]!, quota));
}

/** The memory between two passes: from the end of what the host writes and reads to scratch. */
function roomOf({ io, scratch }: Program): { offset: number; bytes: number } {
  const end = Math.max(...[...io.values()].map(({ offset, bytes }) => offset + bytes));
  const offset = Math.ceil(end / 16) * 16;
  return { offset, bytes: scratch.offset - offset };
}

/** The backbone's classifier: its parameters, where its instruction stands in the evaluation phase, and what it reads; undefined where it is no linear layer. */
export function classifierOf({ parameters, entries }: Program, run: Run) {
  const parameterAt = (offset: number, numbers: number): number =>
    parameters.findIndex((p) => p.offset === offset && p.gradient !== 0 && numel(p.dims) === numbers && !p.name.startsWith('side.'));
  const { start, end } = entries.eval;
  if (!head.findClassifier(run, start, end, parameterAt)) return undefined;
  const { weight, bias, instruction: at, x, features } = head;
  return { weight: parameters[weight]!, bias: parameters[bias]!, at, x, features };
}
