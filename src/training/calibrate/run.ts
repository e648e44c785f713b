/** Tables of a run: measured when it begins, read from its folder when it goes on, or given. */

import { join } from 'node:path';
import { InputError } from '../../base/error.ts';
import { fileExists } from '../../base/files.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Compiled } from '../../pipeline/compiled.ts';
import type { Samples } from '../train.ts';
import { calibrate, useTables } from './calibrate.ts';
import { CALIBRATION, type Calibration, readCalibration, writeCalibration } from './file.ts';

/** Where a run's tables come from. */
export type TableSource = { measure: number } | { given: Calibration; where: string };

/** `--calibrate`, else `--tables`, else those that came with the adapter of `--from`; undefined: the shipped ones. */
export function openTables(job: { calibrate?: number; tables?: string }, inherited?: string): TableSource | undefined {
  if (job.calibrate !== undefined && job.tables !== undefined)
    throw new InputError({ where: '--calibrate', what: 'measures tables, and --tables gives them', expected: 'one of the two' });
  if (job.calibrate !== undefined) return { measure: job.calibrate };
  const where = job.tables ?? inherited;
  return where === undefined ? undefined : { given: readCalibration(where), where };
}

interface Seen {
  samples: Samples;
  seed: number;
  /** Where measured tables are written, and found again; nowhere where absent. */
  runFolder?: string;
  resume: boolean;
}

/**
 * Puts the run's tables in place. Measured ones are written to the run's folder first: a resumed run reads them there, so that it does not
 * depend on another runtime's arithmetic giving the same; that they are the same, the program's digest in the checkpoint says.
 */
export async function installTables(
  engine: Engine,
  compiled: Compiled,
  source: TableSource,
  { samples, seed, runFolder, resume }: Seen,
): Promise<Calibration> {
  const path = runFolder === undefined ? undefined : join(runFolder, CALIBRATION);
  const found = await tablesOf();
  useTables(engine, compiled, found, 'given' in source ? source.where : '--calibrate');
  return found;

  async function tablesOf(): Promise<Calibration> {
    if ('given' in source) return source.given;
    if (resume && path !== undefined && fileExists(path)) return readCalibration(path);
    const made = await calibrate(engine, compiled, samples, source.measure, seed);
    if (path !== undefined) writeCalibration(path, made);
    return made;
  }
}
