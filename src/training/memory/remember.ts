/**
 * Which pictures an adapter remembers: of each class those whose features' mean is nearest to that of all (herding, arXiv 1611.07725), one more of each
 * class in turn until the bytes are used up. Every fifth of a class judges, where it has such. Where all fit they are coded as finely as fits; where more
 * come they are coded again more coarsely, at most FINEST times, before one is given up.
 */
import { rmSync } from 'node:fs';
import { openStore, type Store } from '../../base/files.ts';
import { turnIfDue } from '../../base/pace.ts';
import type { Engine } from '../../engine/engine.ts';
import { ENTRY_BYTES, FILE_BYTES, type Memory, type Remembered } from '../../formats/memoryfile.ts';
import { decodeSmall, encodeSmall, FINEST, finenessOf } from '../../pictures/coded.ts';
import { classifierOf } from '../headstart.ts';
import { eachBatch } from '../known/learn.ts';
import { createRun } from '../runner.ts';
import type { Samples } from '../train.ts';

/** Pictures of a class and part that are compared; of more, every so many. */
const MOST_OF_A_CLASS = 128;
const JUDGED_EVERY = 5;
/** So many pictures tell how finely all may be coded. */
const GUESSED_BY = 16;

/** A picture that may be remembered: of the run's own, or remembered before. */
interface Candidate {
  label: number;
  isJudge: boolean;
  read(target: Uint8Array): void;
  /** As it was coded before. */
  code?: Uint8Array;
}

export interface RememberOptions {
  budget: number;
  shape: Memory['shape'];
  /** What the adapter remembered before. */
  before: readonly Remembered[];
  /** Of a file for features, gone at the end. */
  path: string;
}

/** Chooses among the run's own pictures and those that were remembered before, by the features of the engine's parameters. */
export async function remember(engine: Engine, data: { train: Samples; val: Samples }, options: RememberOptions): Promise<Memory> {
  const { budget, shape, path } = options;
  const candidates = candidatesOf(data, options);
  const { classes } = engine.program.about;
  const queues = await queuesOf(engine, candidates, path, classes);
  const room = { bytes: budget - FILE_BYTES, shape };
  let fineness = finestThatFits(candidates, room);
  let entries = await filled(queues, fineness, room);
  // The guess was of some pictures.
  while (fineness > 0 && entries.length < candidates.length) entries = await filled(queues, --fineness, room);
  return { budget, shape, entries: entries.sort((a, b) => a.label - b.label || Number(a.isJudge) - Number(b.isJudge)) };
}

interface Room {
  bytes: number;
  shape: Memory['shape'];
}

/** How finely all of them may be coded, by the bytes of some. */
function finestThatFits(candidates: readonly Candidate[], { bytes, shape }: Room): number {
  const count = Math.min(candidates.length, GUESSED_BY);
  const some = Array.from({ length: count }, (_, k) => candidates[Math.floor((k * candidates.length) / count)]!);
  for (let fineness = FINEST; fineness > 0; fineness--) {
    const mean = some.reduce((sum, one) => sum + coded(one, shape, fineness).length + ENTRY_BYTES, 0) / count;
    if (mean * candidates.length <= bytes) return fineness;
  }
  return 0;
}

/** One more of each class in turn, until the bytes are used up. */
async function filled(queues: readonly Candidate[][], fineness: number, { bytes, shape }: Room): Promise<Remembered[]> {
  const entries: Remembered[] = [];
  const ends = queues.map((queue) => queue.length);
  let left = bytes;
  for (let round = 0; ends.some((end) => end > round); round++)
    for (const [label, queue] of queues.entries()) {
      const next = round < ends[label]! ? queue[round] : undefined;
      if (next === undefined) continue;
      const code = coded(next, shape, fineness);
      if (code.length + ENTRY_BYTES > left) {
        // Smaller ones may follow, but a class must not get on by them alone.
        ends[label] = round;
        continue;
      }
      left -= code.length + ENTRY_BYTES;
      entries.push({ label: next.label, isJudge: next.isJudge, code });
      await turnIfDue();
    }
  return entries;
}

/** A picture's code, no finer than `fineness`: one that was coded before stays as it is where it is not. */
function coded({ read, code }: Pick<Candidate, 'read' | 'code'>, [height, width, channels]: Memory['shape'], fineness: number): Uint8Array {
  if (code !== undefined && finenessOf(code) <= fineness) return code;
  const pixels = new Uint8Array(height * width * channels);
  read(pixels);
  return encodeSmall(pixels, { height, width, channels }, fineness);
}

/** Bytes that one picture of each class takes, the first of each: what a budget must hold at least. */
export function leastBytes(train: Samples, before: readonly Remembered[], shape: Memory['shape']): number {
  const sizes = new Map<number, number>();
  const note = (label: number, { length }: Uint8Array): void => void sizes.set(label, Math.min(length, sizes.get(label) ?? length));
  for (const one of before) note(one.label, coded(candidateOf(one, shape), shape, 0));
  for (let i = 0; i < train.count; i++)
    if (!sizes.has(train.label(i))) note(train.label(i), coded({ read: (target) => train.readInto(i, target) }, shape, 0));
  return [...sizes.values()].reduce((sum, n) => sum + n + ENTRY_BYTES, FILE_BYTES);
}

const candidateOf = ({ label, isJudge, code }: Remembered, [height, width, channels]: Memory['shape']): Candidate => {
  const read = (target: Uint8Array): void => target.set(decodeSmall(code, { height, width, channels }));
  return { label, isJudge, code, read };
};

function candidatesOf({ train, val }: { train: Samples; val: Samples }, { before, shape }: RememberOptions): Candidate[] {
  const own = (samples: Samples, isJudge: boolean): Candidate[] =>
    thinned(samples).map((i) => ({ label: samples.label(i), isJudge, read: (target) => samples.readInto(i, target) }));
  return [...own(train, false), ...own(val, true), ...before.map((one) => candidateOf(one, shape))];
}

/** At most so many of each class, spread over all that there are. */
function thinned(samples: Samples): number[] {
  const of = new Map<number, number[]>();
  for (let i = 0; i < samples.count; i++) of.set(samples.label(i), [...(of.get(samples.label(i)) ?? []), i]);
  return [...of.values()].flatMap((list) => {
    const n = Math.min(list.length, MOST_OF_A_CLASS);
    return Array.from({ length: n }, (_, k) => list[Math.floor((k * list.length) / n)]!);
  });
}

/** Each class's candidates, the one to remember first in front. */
async function queuesOf(engine: Engine, candidates: readonly Candidate[], path: string, classes: number): Promise<Candidate[][]> {
  const samples: Samples = {
    count: candidates.length,
    label: (i) => candidates[i]!.label,
    readInto: (i, target) => candidates[i]!.read(target),
  };
  const head = classifierOf(engine.program, createRun(engine, { train: samples.count }));
  const store = openStore(path, 4 * Math.max(1, (head?.features ?? 0) * samples.count));
  try {
    if (head)
      await eachBatch(engine, samples, { chosen: [...candidates.keys()], at: head.at }, (from, rows) =>
        store.writeAt(4 * head.features * from, new Uint8Array(engine.memory.buffer, head.x, 4 * head.features * rows).slice()),
      );
    const order = (label: number, isJudge: boolean): Candidate[] => {
      const of = [...candidates.keys()].filter((i) => candidates[i]!.label === label && candidates[i]!.isJudge === isJudge);
      // A head that is no linear layer reads no features: then they come as they are listed.
      const chosen = head ? herd(of, rowsOf(store, of, head.features)) : of;
      return chosen.map((i) => candidates[i]!);
    };
    return Array.from({ length: classes }, (_, label) => interleave(order(label, false), order(label, true)));
  } finally {
    store.close();
    rmSync(path, { force: true });
  }
}

/** Features scaled to length 1. */
function rowsOf(store: Store, of: readonly number[], features: number): Float64Array[] {
  const row = new Float32Array(features);
  return of.map((i) => {
    store.readAt(4 * features * i, new Uint8Array(row.buffer));
    const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    return Float64Array.from(row, (v) => (length > 0 ? v / length : 0));
  });
}

/** `of` in the order in which the mean of those so far stays nearest to the mean of all. */
export function herd(of: readonly number[], rows: readonly Float64Array[]): number[] {
  const features = rows[0]?.length ?? 0;
  const mean = new Float64Array(features);
  for (const row of rows) for (let k = 0; k < features; k++) mean[k]! += row[k]! / rows.length;
  const sum = new Float64Array(features);
  const left = new Set(rows.keys());
  const order: number[] = [];
  while (left.size > 0) {
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    for (const i of left) {
      let distance = 0;
      for (let k = 0; k < features; k++) {
        const d = mean[k]! - (sum[k]! + rows[i]![k]!) / (order.length + 1);
        distance += d * d;
      }
      if (distance < least) [best, least] = [i, distance];
    }
    left.delete(best);
    order.push(of[best]!);
    for (let k = 0; k < features; k++) sum[k]! += rows[best]![k]!;
  }
  return order;
}

/** Four to learn from, one to judge by; the rest of whichever is longer. */
function interleave(learn: readonly Candidate[], judge: readonly Candidate[]): Candidate[] {
  const out: Candidate[] = [];
  let [l, j] = [0, 0];
  while (l < learn.length || j < judge.length) {
    const isJudges = j < judge.length && (l === learn.length || (l > 0 && out.length % JUDGED_EVERY === JUDGED_EVERY - 1));
    out.push(isJudges ? judge[j++]! : learn[l++]!);
  }
  return out;
}
