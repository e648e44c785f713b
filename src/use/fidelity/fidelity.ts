/** How true a policy's gradients are for a model, a method and one's own pictures: the library's and the command line's way in. */

import { DEFAULTS } from '../../base/defaults.ts';
import { defined } from '../../base/defined.ts';
import { planForBudget } from '../../compile.ts';
import type { Engine } from '../../engine/engine.ts';
import { portOf } from '../../input/index.ts';
import { readRate } from '../../passes/rates.ts';
import type { Compiled } from '../../pipeline/compiled.ts';
import { installTables, openTables } from '../../training/calibrate/run.ts';
import type { TrainJob } from '../../training/job.ts';
import { type Measured, withPictures } from '../../training/openedadapter.ts';
import { type Fidelity, measureFidelity } from './measure.ts';

/** What is compared: of a training job what concerns the network, the pictures and the policy, and how long. */
export type FidelityJob = Pick<
  TrainJob,
  | 'model'
  | 'data'
  | 'labels'
  | 'normalize'
  | 'method'
  | 'keep'
  | 'optimizer'
  | 'rate'
  | 'batchSize'
  | 'microBatch'
  | 'imageSize'
  | 'seed'
  | 'cacheFolder'
> &
  Pick<Measured, 'adapter' | 'onPrepare' | 'warn'> & {
    /** Steps trained under `exact` before; 20, or 0 with an adapter. */
    steps?: number;
    /** Fit the tables to so many of the pictures first, or use those of this calibration.json; else an adapter's own, if it has some. */
    calibrate?: number;
    tables?: string;
    /** Optimizer steps whose gradients are compared: 4. */
    batches?: number;
    onStep?(done: number, total: number): void;
  };

/** Compares a policy's gradients with those of `exact` on given pictures. Reads the training pictures of a folder; writes nothing that stays. */
export function fidelity({ steps, batches = DEFAULTS.batches, onStep, ...given }: FidelityJob): Promise<Fidelity> {
  return withPictures(given, ({ job, base, options, preprocess, start, labels, task, samples, load }) => {
    const common = {
      model: base.model,
      classes: labels.length,
      normalize: preprocess,
      ...(portOf(preprocess).element === 'f32' ? { pixels: 'f32' as const } : {}),
      ...defined({ task, method: job.method, keep: job.keep, optimizer: job.optimizer, rates: readRate(job.rate).rates }),
    };
    const { microBatch } = planForBudget({ ...common, batchSize: options.batchSize, ...defined({ microBatch: job.microBatch }) }).program
      .about;
    const source = openTables(job, start?.tables);
    const seen = { samples, seed: options.seed, resume: false };
    return measureFidelity({
      compile: { ...common, microBatch },
      train: options,
      steps: steps ?? (start ? 0 : DEFAULTS.steps),
      batches,
      samples,
      prepare: load,
      ...(source
        ? { tables: async (engine: Engine, compiled: Compiled) => void (await installTables(engine, compiled, source, seen)) }
        : {}),
      ...(onStep ? { onStep } : {}),
    });
  });
}
