/** Runs an adapter over labelled pictures, one part of a folder. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Answer } from '../../assembly/abi/task.ts';
import type { Bytes } from '../../src/base/bytes.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError, nearest } from '../../src/base/error.ts';
import { guarded } from '../../src/base/files.ts';
import type { Precision } from '../../src/base/precision.ts';
import { type Prepared, prepare } from '../../src/data/prepare.ts';
import type { Threads } from '../../src/engine/threads.ts';
import { inputOf } from '../../src/input/index.ts';
import { type Measured, type Task, type TaskName, taskOf } from '../../src/task/index.ts';
import { rowsOfLabels } from '../../src/training/fromadapter.ts';
import { samplesOf } from '../../src/training/samples.ts';
import { sameTask } from '../../src/training/taskchoice.ts';
import { measureTask } from '../../src/training/taskmeasure.ts';
import type { Samples, Tally } from '../../src/training/train.ts';
import { openInference } from '../../src/use/classifier.ts';

export interface Judged {
  truth: string;
  predicted: string;
  /** Probability of the class that was named; absent where the task is another. */
  confidence?: number;
  isRight?: boolean;
  file: string;
  width: number;
  height: number;
  /** As a page shows it. */
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
  weights?: Precision;
  microBatch?: number;
  onProgress?(done: number, total: number): void;
  warn?(sentence: string): void;
}

export interface Judgement {
  tally: Tally;
  task: string;
  /** All figures of the task. */
  measured: Measured;
  split: Split;
  labels: readonly string[];
  /** Pictures of each class, and how many of them were named rightly. */
  classes: { label: string; count: number; correct: number }[];
  /** What was taken for what: classes by number, and how often; the most frequent first. As long as what went wrong, not as classes squared. */
  mistakes: [truth: number, predicted: number, count: number][];
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
  logits: Float32Array,
  labels: readonly string[],
): Pick<Judged, 'truth' | 'predicted' | 'confidence' | 'isRight'> {
  if (task.answer === Answer.Class) {
    const confidence = task.decode(logits, answer, labels)[0]!.probability;
    return { truth: labels[samples.label(i)]!, predicted: labels[answer[0]!]!, confidence };
  }
  const targets = samples.targets!(i);
  if (task.answer === Answer.Labels) {
    const said = (list: ArrayLike<number>): string => labels.filter((_, c) => list[c]! >= 0.5).join(', ') || 'none';
    return { truth: said(targets), predicted: said(answer), isRight: said(targets) === said(answer) };
  }
  const said = (list: ArrayLike<number>): string =>
    labels.map((label, c) => `${labels.length > 1 ? `${label} ` : ''}${Number(list[c]!.toPrecision(3))}`).join(', ');
  return { truth: said(targets), predicted: said(answer) };
}

/** Evaluates; `each` sees every picture with its prediction. */
export async function judgeAdapter(options: JudgeOptions, each?: (picture: Judged) => void): Promise<Judgement> {
  const { engine, adapter, preprocess } = openInference(options.adapter, { ...options, microBatch: options.microBatch ?? 8 });
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
      ...defined({ warn: options.warn, holdOut: options.holdOut }),
      onProgress: ({ done, total }) => options.onProgress?.(done, total),
    });
    const { cache, skipped, notes } = prepared;
    try {
      for (const note of notes) options.warn?.(note);
      const task = taskOf(sameTask(adapter.task, prepared, options.adapter ?? options.model).name);
      const labelOf = rowsToJudge(options, task, labels, prepared);
      const { split, indices } = partToJudge(options, prepared);
      const samples = samplesOf(cache, indices, labelOf, labels.length);
      const counts = createCounts(task, labels);
      const pixels = new Uint8Array(cache.pictureBytes);
      const measured = await measureTask(engine, samples, labels, (i, answer, logits) => {
        counts.add(samples.label(i), answer[0]!);
        if (!each) return;
        samples.readInto(i, pixels);
        each({
          ...verdict(task, samples, i, answer, logits, labels),
          file: cache.pictures[indices[i]!]!.path,
          ...cache.size,
          ...inputOf(preprocess).show(pixels.slice(), preprocess),
        });
      });
      return { tally: measured.tally, task: task.name, measured, split, labels, ...counts.found(), skipped };
    } finally {
      cache.close();
    }
  } finally {
    await engine.close();
    if (options.cacheFolder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** The head's row of each of the folder's labels. Throws for a label that the head has not, and for numbers that the folder has not. */
function rowsToJudge({ data, adapter }: JudgeOptions, task: Task, labels: readonly string[], { classes }: Prepared): number[] {
  const rows = rowsOfLabels(labels, classes);
  const unknown = classes.find((_, i) => rows[i]! < 0);
  if (unknown !== undefined) {
    const sameButCase = labels.find((label) => label.toLowerCase() === unknown.toLowerCase());
    const near = sameButCase ?? nearest(unknown, labels)[0];
    throw new InputError({
      where: data,
      what: `${task.noun.one} ${unknown} is unknown to the ${adapter === undefined ? 'model' : 'adapter'}`,
      expected: labels.length > 12 ? `one of its ${labels.length} labels` : labels.join(', '),
      ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
    });
  }
  const unasked = task.answer === Answer.Numbers ? labels.find((label) => !classes.includes(label)) : undefined;
  if (unasked !== undefined)
    throw new InputError({ where: data, what: `no numbers of ${unasked} to judge by`, expected: labels.join(', ') });
  return rows;
}

/** The part that is asked for, or test, val, everything, whichever is there first. */
function partToJudge({ data, split: asked }: JudgeOptions, prepared: Prepared): { split: Split; indices: readonly number[] } {
  const split = asked ?? (prepared.test.length > 0 ? 'test' : prepared.valGiven ? 'val' : 'all');
  const indices = { ...prepared, all: [...prepared.train, ...prepared.val, ...prepared.test] }[split];
  if (indices.length === 0) throw new InputError({ where: data, what: `no pictures in ${split}` });
  return { split, indices };
}

/** Classes as they were answered; nothing where the task has none. */
function createCounts(task: Task, labels: readonly string[]) {
  const isClass = task.answer === Answer.Class;
  const classes = isClass ? labels.map((label) => ({ label, count: 0, correct: 0 })) : [];
  const wrong = new Map<number, number>();
  return {
    add(truth: number, choice: number): void {
      if (!isClass) return;
      classes[truth]!.count++;
      if (truth === choice) classes[truth]!.correct++;
      const pair = truth * labels.length + choice;
      if (truth !== choice) wrong.set(pair, (wrong.get(pair) ?? 0) + 1);
    },
    found(): Pick<Judgement, 'classes' | 'mistakes'> {
      const sorted = [...wrong].sort(([a, x], [b, y]) => y - x || a - b);
      return { classes, mistakes: sorted.map(([pair, times]) => [Math.floor(pair / labels.length), pair % labels.length, times]) };
    },
  };
}
