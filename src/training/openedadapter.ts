/** A model, an adapter and labelled pictures, opened to measure something over them and closed together. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare } from '../data/prepare.ts';
import { scanFolder } from '../data/scan.ts';
import { type Engine, loadWeights } from '../engine/engine.ts';
import { openStoredFor, STORED_FILE } from '../engine/storedfile.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { identity, type ModelFolder, openWeights } from '../import/modelfolder.ts';
import type { Preparation } from '../input/index.ts';
import type { TaskName } from '../task/index.ts';
import { settle } from './compilejob.ts';
import { joinLabels, openStart, rowsOfLabels, type Start } from './fromadapter.ts';
import type { TrainJob } from './job.ts';
import { openFor, preparationOf } from './preparation.ts';
import { samplesOf } from './samples.ts';
import { decoderBytesOf } from './share.ts';
import { chooseTask, unusualTask } from './taskchoice.ts';
import type { Samples, TrainOptions } from './train.ts';

export interface Measured extends Omit<TrainJob, 'out'> {
  /** Measure where this adapter stands; its method is then the one that is measured. */
  adapter?: string;
  onPrepare?(done: number, total: number): void;
  /** What is to be known of the folder of pictures. */
  warn?(sentence: string): void;
}

export interface Opened {
  /** As given, with the adapter's method and image size. */
  job: TrainJob;
  base: ModelFolder;
  options: TrainOptions & { rate: number };
  preprocess: Preparation;
  start: Start | undefined;
  labels: readonly string[];
  /** Absent: classification. */
  task: TaskSettings | undefined;
  /** The pictures to learn from. */
  samples: Samples;
  /** Puts the base's weights, and then the adapter's, into an engine. */
  load(engine: Engine): void;
}

/** Opens all of it, refuses an adapter of another base, prepares the pictures, and closes whatever `use` does. Writes nothing that stays. */
export async function withPictures<T>(
  { adapter, onPrepare, warn, ...given }: Measured,
  use: (opened: Opened) => T | Promise<T>,
): Promise<T> {
  const scratch = given.cacheFolder ?? mkdtempSync(join(tmpdir(), 's2a-'));
  const toClose: (() => void)[] = given.cacheFolder === undefined ? [() => rmSync(scratch, { recursive: true, force: true })] : [];
  try {
    const start = adapter === undefined ? undefined : openStart(adapter, given.method);
    if (start) toClose.push(start.close);
    const imageSize = given.imageSize ?? start?.imageSize;
    const job: TrainJob = {
      ...given,
      ...(start ? { method: start.method } : {}),
      ...(imageSize === undefined ? {} : { imageSize }),
      out: scratch,
    };
    const base = openFor(job);
    const options = settle(job);
    const weights = openWeights(base, { method: job.method });
    toClose.push(() => weights.close());
    const folder = scanFolder(job.data, { ...job, task: job.task ?? (start?.task.name as TaskName | undefined) });
    const preprocess = preparationOf(job, base, folder, { before: start?.preparation, warn });
    start?.check(identity(base, weights), preprocess);
    const prepared = await prepare({
      root: job.data,
      folder,
      preprocess,
      cacheFolder: scratch,
      decoderBytes: decoderBytesOf(job),
      seed: options.seed,
      ...(warn ? { warn } : {}),
      onProgress: ({ done, total }) => onPrepare?.(done, total),
    });
    toClose.push(() => prepared.cache.close());
    const labels = joinLabels(start?.labels ?? [], prepared.classes);
    for (const note of prepared.notes) warn?.(note);
    const rows = rowsOfLabels(labels, prepared.classes);
    const train = prepared.train.map((i) => prepared.cache.pictures[i]!);
    const learnt = { root: job.data, classes: prepared.classes, train, ...(prepared.task ? { task: prepared.task } : {}) };
    return await use({
      job,
      base,
      options,
      preprocess,
      start,
      labels,
      task: unusualTask(chooseTask(job, learnt, labels, start)),
      samples: samplesOf(prepared.cache, prepared.train, rows, labels.length),
      load(engine) {
        const stored = openStoredFor(engine.program, join(scratch, `${toClose.length}.${STORED_FILE}`));
        if (stored) toClose.push(() => stored.close(false));
        loadWeights(engine, weights, options.seed, stored);
        start?.fill(engine);
      },
    });
  } finally {
    for (const close of toClose.reverse()) close();
  }
}
