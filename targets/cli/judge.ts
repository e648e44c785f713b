/** Runs an adapter over labelled pictures, one part of a folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bytes } from '../../src/base/bytes.ts';
import { InputError, nearest } from '../../src/base/error.ts';
import { guarded } from '../../src/base/files.ts';
import type { Precision } from '../../src/base/precision.ts';
import { type Prepared, prepare } from '../../src/data/prepare.ts';
import type { Threads } from '../../src/engine/threads.ts';
import { rowsOfLabels } from '../../src/training/fromadapter.ts';
import { samplesOf } from '../../src/training/job.ts';
import { evaluate, type Tally } from '../../src/training/train.ts';
import { openInference, ranked } from '../../src/use/classifier.ts';

export interface Judged {
  truth: string;
  predicted: string;
  confidence: number;
  file: string;
  width: number;
  height: number;
  pixels: Uint8Array;
}

export type Split = 'all' | 'train' | 'val' | 'test';

export interface JudgeOptions {
  model: string;
  /** Absent: the model's own head. */
  adapter?: string;
  data: string;
  /** A table of labels for them. */
  labels?: string;
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

/** Evaluates; `each` sees every picture with its prediction. */
export async function judgeAdapter(options: JudgeOptions, each?: (picture: Judged) => void): Promise<Judgement> {
  const { engine, adapter, preprocess } = openInference(options.adapter, { ...options, microBatch: options.microBatch ?? 8 });
  const folder = options.cacheFolder ?? temporaryFolder();
  try {
    const prepared = await prepare({
      root: options.data,
      labels: options.labels,
      preprocess,
      cacheFolder: folder,
      seed: options.seed ?? 0,
      ...(options.warn ? { warn: options.warn } : {}),
      ...(options.holdOut === undefined ? {} : { holdOut: options.holdOut }),
      onProgress: ({ done, total }) => options.onProgress?.(done, total),
    });
    try {
      for (const note of prepared.notes) options.warn?.(note);
      const labelOf = rowsOfLabels(adapter.labels, prepared.classes);
      const unknown = prepared.classes.find((_, i) => labelOf[i]! < 0);
      if (unknown !== undefined) {
        const sameButCase = adapter.labels.find((label) => label.toLowerCase() === unknown.toLowerCase());
        const near = sameButCase ?? nearest(unknown, adapter.labels)[0];
        throw new InputError({
          where: options.data,
          what: `class ${unknown} is unknown to the ${options.adapter === undefined ? 'model' : 'adapter'}`,
          expected: adapter.labels.length > 12 ? `one of its ${adapter.labels.length} labels` : adapter.labels.join(', '),
          ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
        });
      }
      const split = options.split ?? (prepared.test.length > 0 ? 'test' : prepared.valGiven ? 'val' : 'all');
      const indices = { ...prepared, all: [...prepared.train, ...prepared.val, ...prepared.test] }[split];
      if (indices.length === 0) throw new InputError({ where: options.data, what: `no pictures in ${split}` });
      const raw = samplesOf(prepared.cache, indices);
      const samples = { ...raw, label: (i: number): number => labelOf[raw.label(i)]! };
      const classes = adapter.labels.map((label) => ({ label, count: 0, correct: 0 }));
      const wrong = new Map<number, number>();
      const pixels = new Uint8Array(prepared.cache.pictureBytes);
      const tally = await evaluate(engine, samples, (i, choice, logits) => {
        const truth = samples.label(i);
        classes[truth]!.count++;
        if (truth === choice) classes[truth]!.correct++;
        const pair = truth * adapter.labels.length + choice;
        if (truth !== choice) wrong.set(pair, (wrong.get(pair) ?? 0) + 1);
        if (!each) return;
        samples.readInto(i, pixels);
        each({
          truth: adapter.labels[samples.label(i)]!,
          predicted: adapter.labels[choice]!,
          confidence: ranked(logits, adapter.labels)[0]!.probability,
          file: prepared.cache.pictures[indices[i]!]!.path,
          ...prepared.cache.size,
          pixels: pixels.slice(),
        });
      });
      const n = adapter.labels.length;
      return {
        tally,
        split,
        labels: adapter.labels,
        classes,
        mistakes: [...wrong]
          .sort(([a, x], [b, y]) => y - x || a - b)
          .map(([pair, times]) => [Math.floor(pair / n), pair % n, times] as [number, number, number]),
        skipped: prepared.skipped,
      };
    } finally {
      prepared.cache.close();
    }
  } finally {
    await engine.close();
    if (options.cacheFolder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}
