/** Runs an adapter over labelled pictures, one part of a folder. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Answer } from '../../assembly/abi/task.ts';
import type { Bytes } from '../../src/base/bytes.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError, nearest } from '../../src/base/error.ts';
import { guarded } from '../../src/base/files.ts';
import type { Precision, WeightsWish } from '../../src/base/precision.ts';
import { type Prepared, prepare } from '../../src/data/prepare.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Threads } from '../../src/engine/threads.ts';
import { inputOf, type Preparation } from '../../src/input/index.ts';
import type { Refused } from '../../src/report/refusing.ts';
import { type Measured, type Task, type TaskName, taskOf } from '../../src/task/index.ts';
import { type ClassFigures, createJudging } from '../../src/task/judging.ts';
import { createRefusing, type Refusing } from '../../src/task/refusing.ts';
import { rowsOfLabels } from '../../src/training/fromadapter.ts';
import { samplesOf } from '../../src/training/samples.ts';
import { sameTask } from '../../src/training/taskchoice.ts';
import { measureTask } from '../../src/training/taskmeasure.ts';
import { evaluate, type Samples, type Tally } from '../../src/training/train.ts';
import { openInference } from '../../src/use/classifier.ts';
import { checkFlips } from '../../src/use/flips.ts';
import { distanceAt, isKnown, type Unknown } from '../../src/use/unknown.ts';
import { type Look, measureTwice } from './looks.ts';

/** What a picture is, and what was said of it. */
export interface Judged {
  truth: string;
  predicted: string;
  /** Probability of the class that was named; absent where the task is another. */
  confidence?: number;
  isRight?: boolean;
  /** How bad it is if it is wrong: the probability of the class that was named, how many labels are wrong, how many deviations the numbers are off. */
  badness: number;
  file: string;
}

/** A picture as a page shows it. */
export interface Shown {
  width: number;
  height: number;
  channels: 1 | 3 | 4;
  data: Uint8Array;
}

export type Split = 'all' | 'train' | 'val' | 'test';

export interface JudgeOptions {
  model: string;
  /** Absent: the model's own head. */
  adapter?: string;
  data: string;
  /** A table of labels for them, and what it is for where its columns do not say it. */
  labels?: string;
  task?: TaskName;
  split?: Split;
  cacheFolder?: string;
  seed?: number;
  holdOut?: number;
  budget?: Bytes;
  threads?: Threads;
  weights?: WeightsWish<Precision>;
  /** The file for weights that are streamed. */
  stored?: string;
  microBatch?: number;
  /** Two looks at each picture, one of them in a mirror. */
  flips?: boolean;
  /** Which share of pictures of known classes may be called unknown; 0: nothing is; absent: 5 %, where the adapter can tell. */
  unknown?: number;
  onProgress?(progress: { done: number; total: number; path: string; skipped: number }): void;
  warn?(sentence: string): void;
}

export interface Judgement {
  tally: Tally;
  task: string;
  /** What was judged. */
  input: Prepared['input'];
  /** All figures of the task. */
  measured: Measured;
  split: Split;
  labels: readonly string[];
  /** Where pictures have one class each. */
  figures?: ClassFigures;
  /** What is called unknown, where the adapter can tell. */
  refused?: Refused;
  skipped: Prepared['skipped'];
}

/** A folder that goes when the command ends. Deno does not say where temporary files belong unless it is allowed to look. */
function temporaryFolder(): string {
  let above = '/tmp';
  try {
    above = tmpdir();
  } catch {
    // The usual place, then.
  }
  return guarded(above, 'cannot hold the prepared pictures; name a folder with --cache', () => mkdtempSync(join(above, 's2a-')));
}

/** What a picture is and what is said of it, in words. */
function verdict(
  task: Task,
  samples: Samples,
  i: number,
  answer: ArrayLike<number>,
  labels: readonly string[],
  confidence: number | undefined,
  spread: readonly number[] | undefined,
): Omit<Judged, 'file'> {
  if (confidence !== undefined)
    return { truth: labels[samples.label(i)]!, predicted: labels[answer[0]!]!, confidence, badness: confidence };
  const targets = samples.targets!(i);
  if (task.answer === Answer.Labels) {
    const said = (list: ArrayLike<number>): string => labels.filter((_, c) => list[c]! >= 0.5).join(', ') || 'none';
    const badness = labels.filter((_, c) => targets[c]! >= 0.5 !== answer[c]! >= 0.5).length;
    return { truth: said(targets), predicted: said(answer), isRight: badness === 0, badness };
  }
  const said = (list: ArrayLike<number>): string =>
    labels.map((label, c) => `${labels.length > 1 ? `${label} ` : ''}${Number(list[c]!.toPrecision(3))}`).join(', ');
  const badness = Math.hypot(...labels.map((_, c) => (targets[c]! - answer[c]!) / (spread?.[c] ?? 1)));
  return { truth: said(targets), predicted: said(answer), badness };
}

/** All figures by one look at each picture, or by two. */
function measuredBy(
  engine: Engine,
  samples: Samples,
  { labels, preprocess, task, flips }: { labels: readonly string[]; preprocess: Preparation; task: string; flips: boolean | undefined },
  see: Look,
): ReturnType<typeof measureTask> {
  const { microBatch } = engine.program.about;
  if (!flips) return measureTask(engine, samples, labels, (i, answer, logits) => see(i, answer, logits, i % microBatch));
  checkFlips(task, preprocess, '--flips');
  return measureTwice(engine, samples, { labels, preprocess }, see);
}

/** Evaluates; `each` sees what is said of every picture, which `show` makes as a page has it. */
export async function judgeAdapter(options: JudgeOptions, each?: (picture: Judged, show: () => Shown) => void): Promise<Judgement> {
  const { engine, adapter, preprocess, unknown } = openInference(options.adapter, { ...options, microBatch: options.microBatch ?? 8 });
  const { labels } = adapter;
  const folder = options.cacheFolder ?? temporaryFolder();
  try {
    const prepared = await prepare({
      root: options.data,
      labels: options.labels,
      task: options.task ?? (adapter.task?.name as TaskName | undefined),
      preprocess,
      cacheFolder: folder,
      seed: options.seed ?? 0,
      isJudged: true,
      ...defined({ warn: options.warn, holdOut: options.holdOut }),
      ...defined({ onProgress: options.onProgress }),
    });
    const { cache, skipped, notes } = prepared;
    try {
      for (const note of notes) options.warn?.(note);
      const task = taskOf(sameTask(adapter.task, prepared, options.adapter ?? options.model).name);
      const labelOf = rowsToJudge(options, task, labels, prepared, unknown);
      const { split, indices, others } = partToJudge(options, prepared, labelOf);
      const samples = samplesOf(cache, indices, labelOf, labels.length);
      const judging = task.answer === Answer.Class ? createJudging(labels) : undefined;
      const refusing = task.answer === Answer.Class && 'share' in unknown ? createRefusing() : undefined;
      const spread = adapter.task?.constants?.std;
      const pixels = new Uint8Array(cache.pictureBytes);
      const see: Look = (i, answer, logits, row) => {
        const confidence = judging?.add(samples.label(i), answer[0]!, logits);
        refusing?.add(distanceAt(engine, row), !isKnown(engine, row), answer[0] === samples.label(i));
        each?.({ ...verdict(task, samples, i, answer, labels, confidence, spread), file: cache.pictures[indices[i]!]!.path }, () => {
          samples.readInto(i, pixels);
          return { ...cache.size, ...inputOf(preprocess).show(pixels.slice(), preprocess) };
        });
      };
      const measured = await measuredBy(engine, samples, { labels, preprocess, task: task.name, flips: options.flips }, see);
      const figures = judging === undefined ? {} : { figures: judging.found() };
      if (refusing)
        await judgeOthers(engine, refusing, samplesOf(cache, others, new Array(prepared.classes.length).fill(0), labels.length));
      const refused = refusing && 'share' in unknown ? { refused: { share: unknown.share, ...refusing.found() } } : {};
      return { tally: measured.tally, task: task.name, input: prepared.input, measured, split, labels, ...figures, ...refused, skipped };
    } finally {
      cache.close();
    }
  } finally {
    await engine.close();
    if (options.cacheFolder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** The folder, or label, of pictures of nothing that was learnt. */
const OTHERS = 'unknown';

/** Pictures of no class are judged for their distances alone: whatever class they are given, nothing of it is counted. */
async function judgeOthers(engine: Engine, refusing: Refusing, samples: Samples): Promise<void> {
  if (samples.count === 0) return;
  await evaluate(engine, samples, (i) => {
    const row = i % engine.program.about.microBatch;
    refusing.addOther(distanceAt(engine, row), !isKnown(engine, row));
  });
}

/** The head's row of each of the folder's labels; of pictures of nothing learnt -1, where the adapter can tell them. Throws for a label that the head has not, and for numbers that the folder has not. */
function rowsToJudge(
  { data, adapter }: JudgeOptions,
  task: Task,
  labels: readonly string[],
  { classes }: Prepared,
  told: Unknown,
): number[] {
  const rows = rowsOfLabels(labels, classes);
  const maySayUnknown = task.answer === Answer.Class && 'share' in told;
  const unknown = classes.find((label, i) => rows[i]! < 0 && !(label === OTHERS && maySayUnknown));
  if (unknown !== undefined) {
    const sameButCase = labels.find((label) => label.toLowerCase() === unknown.toLowerCase());
    const near = sameButCase ?? nearest(unknown, labels)[0];
    throw new InputError({
      where: data,
      what: `${task.noun.one} ${unknown} is unknown to the ${adapter === undefined ? 'model' : 'adapter'}`,
      expected: labels.length > 12 ? `one of its ${labels.length} labels` : labels.join(', '),
      ...(unknown === OTHERS && 'why' in told
        ? { hint: `what is unknown cannot be told: ${told.why}` }
        : near === undefined
          ? {}
          : { hint: `did you mean ${near}?` }),
    });
  }
  const unasked = task.answer === Answer.Numbers ? labels.find((label) => !classes.includes(label)) : undefined;
  if (unasked !== undefined)
    throw new InputError({ where: data, what: `no numbers of ${unasked} to judge by`, expected: labels.join(', ') });
  return rows;
}

/** The part that is asked for, or test, val, everything, whichever is there first; `others` are of nothing that was learnt. */
function partToJudge(
  { data, split: asked }: JudgeOptions,
  prepared: Prepared,
  labelOf: readonly number[],
): { split: Split; indices: readonly number[]; others: readonly number[] } {
  const split = asked ?? (prepared.test.length > 0 ? 'test' : prepared.valGiven ? 'val' : 'all');
  const all = { ...prepared, all: [...prepared.train, ...prepared.val, ...prepared.test] }[split];
  if (all.length === 0) throw new InputError({ where: data, what: `no ${prepared.input}s in ${split}` });
  const isOther = (i: number): boolean =>
    prepared.cache.pictures[i]!.values === undefined && labelOf[prepared.cache.pictures[i]!.label]! < 0;
  const indices = all.filter((i) => !isOther(i));
  if (indices.length > 0) return { split, indices, others: all.filter(isOther) };
  throw new InputError({
    where: data,
    what: `all ${prepared.input}s are of ${OTHERS}`,
    expected: 'some of a class that was learnt beside them',
  });
}
