/** `s2a calibrate` as one call: model folder + pictures → calibration.json. */

import { DEFAULTS } from '../../base/defaults.ts';
import { InputError } from '../../base/error.ts';
import { createEngine } from '../../engine/engine.ts';
import { engineBytes } from '../../engine/wasm.ts';
import { compileJob } from '../compilejob.ts';
import type { TrainJob } from '../job.ts';
import { type Measured, withPictures } from '../openedadapter.ts';
import { calibrate, calibratedLayers } from './calibrate.ts';
import { type Calibration, writeCalibration } from './file.ts';

/** What calibrating needs: of a training job what concerns the network and the pictures, and where the tables go. */
export type CalibrateJob = Pick<
  TrainJob,
  | 'model'
  | 'data'
  | 'labels'
  | 'normalize'
  | 'method'
  | 'keep'
  | 'weights'
  | 'batchSize'
  | 'microBatch'
  | 'budget'
  | 'imageSize'
  | 'seed'
  | 'cacheFolder'
> &
  Pick<Measured, 'adapter' | 'onPrepare' | 'warn'> & {
    /** The file that the tables are written to. */
    out: string;
    /** Pictures to measure on; 64. */
    pictures?: number;
  };

/** Measures and writes. Throws InputError where no layer keeps a derivative code. */
export function calibrateJob({ out, pictures = DEFAULTS.pictures, ...given }: CalibrateJob): Promise<Calibration> {
  return withPictures(given, async ({ job, base, options, preprocess, labels, task, samples, load }) => {
    const compiled = compileJob(job, { base, options, preprocess, classes: labels.length, task, ownTables: true });
    if (calibratedLayers(compiled).size === 0)
      throw new InputError({
        where: job.model,
        what: `nothing to calibrate: under ${compiled.program.about.keep} no layer keeps a derivative code`,
        hint: 'ReLU-like functions keep one bit, which is exact',
      });
    const engine = createEngine(compiled.program, engineBytes());
    load(engine);
    const found = await calibrate(engine, compiled, samples, pictures, options.seed);
    writeCalibration(out, found);
    return found;
  });
}
