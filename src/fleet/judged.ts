/** The global adapter over a node's held-out pictures. */
import { defined } from '../base/defined.ts';
import { collectGarbage } from '../base/processmemory.ts';
import type { JobHooks } from '../training/jobtypes.ts';
import { samplesOf } from '../training/samples.ts';
import { evaluate } from '../training/train.ts';
import { openInference } from '../use/classifier.ts';
import { type Board, preparePictures, rowsAmong } from './board.ts';

/** What these pictures say of it, and by label of the fleet. */
export interface JudgedHere {
  count: number;
  /** Mean over the pictures; 0 where there are none. */
  loss: number;
  correct: number;
  counts: number[];
  rights: number[];
}

/** Pictures in one pass. */
export const MICRO_BATCH = 8;

/** Judges the adapter in `folder` by the pictures that no round learns from. */
export async function judgeHere(board: Board, folder: string, labels: readonly string[], hooks: JobHooks): Promise<JudgedHere> {
  const { job } = board;
  const prepared = await preparePictures(board, hooks);
  try {
    const rows = rowsAmong(job.data, prepared.classes, labels);
    const found: JudgedHere = { count: prepared.val.length, loss: 0, correct: 0, counts: labels.map(() => 0), rights: labels.map(() => 0) };
    if (found.count === 0) return found;
    // A round's engine may still be there.
    collectGarbage();
    const { engine } = openInference(folder, {
      model: job.model,
      microBatch: MICRO_BATCH,
      ...defined({ budget: job.budget, threads: job.threads, stored: job.stored }),
    });
    try {
      const samples = samplesOf(prepared.cache, prepared.val, rows, labels.length);
      const tally = await evaluate(engine, samples, (i, answer) => {
        const label = samples.label(i);
        found.counts[label]!++;
        if (answer[0] === label) found.rights[label]!++;
      });
      return { ...found, loss: tally.lossSum / tally.count, correct: tally.correct };
    } finally {
      await engine.close();
    }
  } finally {
    prepared.cache.close();
  }
}
