/** `s2a calibrate` as one call: model folder + pictures → calibration.json. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identity, openBase, openWeights, preprocessOf } from '../base.ts';
import { prepare } from '../data/prepare.ts';
import { createEngine, loadWeights } from '../engine.ts';
import { InputError } from '../error.ts';
import { compileJob, samplesOf, settle, type TrainJob } from '../job.ts';
import { joinLabels, openStart } from '../start.ts';
import { engineBytes } from '../wasm.ts';
import { type Calibration, writeCalibration } from './file.ts';
import { calibrate, calibratedLayers } from './index.ts';

export type CalibrateJob = Pick<
  TrainJob,
  'model' | 'data' | 'method' | 'keep' | 'weights' | 'batchSize' | 'microBatch' | 'budget' | 'imageSize' | 'seed' | 'cacheFolder'
> & {
  /** The file that the tables are written to. */
  out: string;
  /** Measure where this adapter stands. */
  adapter?: string;
  /** Pictures to measure on; 64. */
  pictures?: number;
  onPrepare?(done: number, total: number): void;
};

/** Measures and writes. Throws InputError where no layer keeps a derivative code. */
export async function calibrateJob({ out, adapter, pictures = 64, onPrepare, ...given }: CalibrateJob): Promise<Calibration> {
  const scratch = given.cacheFolder ?? mkdtempSync(join(tmpdir(), 's2a-'));
  const start = adapter === undefined ? undefined : openStart(adapter, given.method);
  try {
    const job: TrainJob = {
      ...given,
      ...(start ? { method: start.method, imageSize: given.imageSize ?? start.imageSize } : {}),
      out: scratch,
    };
    const base = openBase(job.model, job.imageSize);
    const options = settle(job, base.model.type);
    const preprocess = preprocessOf(base);
    const weights = openWeights(base);
    try {
      start?.check(identity(base, weights), preprocess);
      const prepared = await prepare({
        root: job.data,
        preprocess,
        cacheFolder: scratch,
        seed: options.seed,
        onProgress: ({ done, total }) => onPrepare?.(done, total),
      });
      try {
        const labels = joinLabels(start?.labels ?? [], prepared.classes);
        const compiled = compileJob(job, { base, options, preprocess, classes: labels.length, ownTables: true });
        if (calibratedLayers(compiled).size === 0)
          throw new InputError({
            where: job.model,
            what: `nothing to calibrate: under ${compiled.program.about.keep} no layer keeps a derivative code`,
            hint: 'ReLU-like functions keep one bit, which is exact',
          });
        const engine = createEngine(compiled.program, engineBytes());
        loadWeights(engine, weights, options.seed);
        start?.fill(engine);
        const rows = prepared.classes.map((c) => labels.indexOf(c));
        const found = calibrate(engine, compiled, samplesOf(prepared.cache, prepared.train, rows), pictures, options.seed);
        writeCalibration(out, found);
        return found;
      } finally {
        prepared.cache.close();
      }
    } finally {
      weights.close();
    }
  } finally {
    start?.close();
    if (given.cacheFolder === undefined) rmSync(scratch, { recursive: true, force: true });
  }
}
