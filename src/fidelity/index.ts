/** How true a policy's gradients are for a model, a method and one's own pictures: the library's and the command line's way in. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identity, openBase, openWeights, preprocessOf } from '../base.ts';
import { installTables, openTables } from '../calibrate/run.ts';
import type { Compiled } from '../compile.ts';
import { prepare } from '../data/prepare.ts';
import { type Engine, loadWeights } from '../engine.ts';
import { fit } from '../fit.ts';
import { samplesOf, settle, type TrainJob } from '../job.ts';
import { joinLabels, openStart } from '../start.ts';
import { type Fidelity, measureFidelity } from './measure.ts';

export type FidelityJob = Pick<
  TrainJob,
  'model' | 'data' | 'method' | 'keep' | 'optimizer' | 'rate' | 'batchSize' | 'microBatch' | 'imageSize' | 'seed' | 'cacheFolder'
> & {
  /** Start from this adapter; its method is the one that is measured. */
  adapter?: string;
  /** Steps trained under `exact` before; 20, or 0 with an adapter. */
  steps?: number;
  /** Fit the tables to so many of the pictures first, or use those of this calibration.json; else an adapter's own, if it has some. */
  calibrate?: number;
  tables?: string;
  /** Optimizer steps whose gradients are compared: 4. */
  batches?: number;
  onPrepare?(done: number, total: number): void;
  onStep?(done: number, total: number): void;
};

/** Compares a policy's gradients with those of `exact` on given pictures. Reads the training pictures of a folder; writes nothing that stays. */
export async function fidelity(job: FidelityJob): Promise<Fidelity> {
  const scratch = job.cacheFolder ?? mkdtempSync(join(tmpdir(), 's2a-'));
  const start = job.adapter === undefined ? undefined : openStart(job.adapter, job.method);
  try {
    const base = openBase(job.model, job.imageSize ?? start?.imageSize);
    const method = start?.method ?? job.method;
    const options = settle({ ...job, ...(method === undefined ? {} : { method }), out: scratch }, base.model.type);
    const preprocess = preprocessOf(base);
    const weights = openWeights(base);
    try {
      start?.check(identity(base, weights), preprocess);
      const prepared = await prepare({
        root: job.data,
        preprocess,
        cacheFolder: scratch,
        seed: options.seed,
        onProgress: ({ done, total }) => job.onPrepare?.(done, total),
      });
      try {
        const labels = joinLabels(start?.labels ?? [], prepared.classes);
        const given = { method, keep: job.keep, optimizer: job.optimizer };
        const common = {
          model: base.model,
          classes: labels.length,
          normalize: preprocess,
          ...(Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) as { [K in keyof typeof given]?: never }),
        };
        const { microBatch } = fit({ ...common, batchSize: options.batchSize, ...(job.microBatch ? { microBatch: job.microBatch } : {}) })
          .program.about;
        const rows = prepared.classes.map((c) => labels.indexOf(c));
        const source = openTables(job, start?.tables);
        const samples = samplesOf(prepared.cache, prepared.train, rows);
        const seen = { samples, seed: options.seed, resume: false };
        return await measureFidelity({
          compile: { ...common, microBatch },
          train: options,
          steps: job.steps ?? (start ? 0 : 20),
          batches: job.batches ?? 4,
          samples,
          ...(source ? { tables: (engine: Engine, compiled: Compiled) => void installTables(engine, compiled, source, seen) } : {}),
          prepare(engine) {
            loadWeights(engine, weights, options.seed);
            start?.fill(engine);
          },
          ...(job.onStep ? { onStep: job.onStep } : {}),
        });
      } finally {
        prepared.cache.close();
      }
    } finally {
      weights.close();
    }
  } finally {
    start?.close();
    if (job.cacheFolder === undefined) rmSync(scratch, { recursive: true, force: true });
  }
}
