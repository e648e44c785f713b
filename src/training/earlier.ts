/** What an earlier run left in the folder of a run that begins anew: a finished one is replaced, one that was interrupted only on request. */
import { join } from 'node:path';
import { isFinished as isFinishedRun } from '../../assembly/formats/checkpoint.ts';
import { InputError } from '../base/error.ts';
import { fileExists } from '../base/files.ts';
import { type CheckpointHead, openCheckpoint, pathsIn } from './checkpointfile.ts';

/**
 * Refuses to throw away what an interrupted run has learnt, unless `overwrite` says so. Returns what is to be told of a finished one, which the new
 * run replaces.
 */
export function guardEarlier(
  out: string,
  { resume = false, overwrite = false }: { resume?: boolean; overwrite?: boolean },
): string | undefined {
  if (resume && overwrite)
    throw new InputError({ where: '--overwrite', what: 'throws away what --resume goes on from', expected: 'one of the two' });
  if (resume || overwrite) return undefined;
  const folder = join(out, 'run');
  const paths = pathsIn(folder);
  if (paths.length === 0) return undefined;
  const found = newest(paths);
  // One that went astray has been put back to its start.
  if (found?.step === 0) return undefined;
  if (found && isFinished(found) && fileExists(join(out, 'adapter_model.safetensors')))
    return `${out} holds an earlier run that is finished: this one replaces it, and its adapter at the end`;
  throw new InputError({
    where: folder,
    what: 'holds a run that was interrupted',
    got: found ? placeOf(found) : 'checkpoints that cannot be read',
    hint: '--resume goes on with it, --overwrite throws it away and starts anew',
  });
}

function newest(paths: readonly string[]): CheckpointHead | undefined {
  for (const path of paths) {
    try {
      const checkpoint = openCheckpoint(path);
      checkpoint.close();
      return checkpoint;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  return undefined;
}

/** Whether nothing is left to learn: all epochs are done, or patience has ended. */
function isFinished({ epoch, settings, history }: CheckpointHead): boolean {
  return isFinishedRun(epoch, history.bestEpoch, Number(settings.epochs), Number(settings.patience ?? 0));
}

const placeOf = ({ step, epoch, settings }: CheckpointHead): string => `step ${step}, ${epoch} of ${settings.epochs} epochs done`;
