/**
 * The head before the first step: one pass of the evaluation phase over the pictures gives what the classifier reads, and the engine makes
 * ridge regression's rows of it (assembly/ridge/ridge.ts). The WASI program does the same with the same code (targets/wasi/headstart.ts).
 *
 * Features lie in a file of the run's folder while the engine asks for them row by row: n × F × 4 bytes, gone when the head is written.
 */

import { rmSync } from 'node:fs';
import { LinearArg } from '../../assembly/abi/ops/dense.ts';
import { Instruction, Op } from '../../assembly/abi/ops.ts';
import { Found, Want } from '../../assembly/abi/ridge.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { EngineError } from '../base/error.ts';
import { openStore } from '../base/files.ts';
import { turnIfDue } from '../base/pace.ts';
import type { Engine } from '../engine/engine.ts';
import { type MethodLike, methodOf } from '../network/method.ts';
import type { ParameterRecord, Program } from '../program/program.ts';
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

interface HeadOptions {
  /** The features' file. */
  path: string;
  /** Rows before it are an adapter's, and stay. */
  first?: number;
}

/** Writes the rows from `first` on. */
export async function startHead(engine: Engine, samples: Samples, { path, first = 0 }: HeadOptions): Promise<HeadFound | NoHead> {
  const { weight, bias, at, x, features, classes } = classifierOf(engine.program);
  const room = roomOf(engine.program);
  const { ridge, memory } = engine;
  const labels = Int32Array.from({ length: samples.count }, (_, i) => samples.label(i));
  const n = ridge.ridgePictures(room.bytes, samples.count, features, classes);
  const chosen = chooseEvenly(labels, classes, n);
  if (n === 0 || chosen.length < 2) return { why: 'the plan has no room for the regression' };
  const store = openStore(path, 4 * features * chosen.length);
  try {
    const { microBatch } = engine.program.about;
    for (let from = 0; from < chosen.length; from += microBatch) {
      const indices = chosen.slice(from, from + microBatch);
      await pass(engine, { phase: 'eval', until: at }, indices, samples);
      store.writeAt(4 * features * from, new Uint8Array(memory.buffer, x, 4 * features * indices.length));
      await turnIfDue();
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
    const count = ridge.ridgeFound(Found.LeftOut);
    return {
      pictures: chosen.length,
      of: samples.count,
      lambda: ridge.ridgeFound(Found.Relative),
      factor: ridge.ridgeFound(Found.Factor),
      ...(count > 0 ? { leftOut: { count, accuracy: ridge.ridgeFound(Found.Right), loss: ridge.ridgeFound(Found.Loss) } } : {}),
    };
  } finally {
    store.close();
    rmSync(path, { force: true });
  }
}

/** At most `most` of the pictures, in their order: as many of each class as can be, the first of it. */
export function chooseEvenly(labels: Int32Array, classes: number, most: number): number[] {
  if (labels.length <= most) return [...labels.keys()];
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  let quota = 0;
  while (counts.reduce((sum, count) => sum + Math.min(count, quota + 1), 0) <= most) quota++;
  counts.fill(0);
  return [...labels.keys()].filter((i) => counts[labels[i]!]!++ < quota);
}

/** The memory between two passes: from the end of what the host writes and reads to scratch. */
function roomOf({ io, scratch }: Program): { offset: number; bytes: number } {
  const end = Math.max(...[...io.values()].map(({ offset, bytes }) => offset + bytes));
  const offset = Math.ceil(end / 16) * 16;
  return { offset, bytes: scratch.offset - offset };
}

/** The backbone's classifier: its parameters, where its instruction stands in the evaluation phase, and what it reads. */
function classifierOf(program: Program) {
  const { about, parameters, entries, image, programOffset } = program;
  const words = new Int32Array(image.buffer, image.byteOffset, image.length >> 2);
  let found: { weight: ParameterRecord; bias: ParameterRecord; at: number; x: number; features: number; classes: number } | undefined;
  const { start, end } = entries.eval;
  for (let at = start; at < end; ) {
    const word = (at - programOffset) >> 2;
    const argument = (i: LinearArg): number => words[word + Instruction.Arguments + i]!;
    const parameter = (i: LinearArg) => parameters.find((p) => p.offset === argument(i) && !p.name.startsWith('side.'));
    if (
      words[word + Instruction.Op] === Op.Linear &&
      argument(LinearArg.N) === about.classes &&
      argument(LinearArg.ENCODING) === Encoding.F32
    ) {
      const [weight, bias] = [parameter(LinearArg.W), parameter(LinearArg.B)];
      if (weight && bias && argument(LinearArg.M) === about.microBatch)
        found = { weight, bias, at, x: argument(LinearArg.X), features: argument(LinearArg.K), classes: about.classes };
    }
    at += 4 * words[word + Instruction.Words]!;
  }
  if (found === undefined) throw new EngineError({ where: 'program', what: 'has no classifier to start' });
  return found;
}
