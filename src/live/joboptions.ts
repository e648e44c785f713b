/** What the command line and the library say of a watch, with what holds where they say nothing. */
import { defined } from '../base/defined.ts';
import { AFTER, HOLD_OUT, KEEP, LOOK_MS } from './defaults.ts';
import { readDuration, readTimes } from './schedule.ts';
import type { WatchJob, WatchOptions } from './watchtypes.ts';

/** What of a job the run gets, and what the watch. `dashes`: what stands before an option's name in an error. */
export function watchOptions(
  { out, after, every, at, keepLast, tolerance, holdOut, look: _, onEvent, ...job }: WatchJob,
  dashes: '' | '--' = '',
): WatchOptions {
  const isDefault = after === undefined && every === undefined && at === undefined;
  return {
    job,
    out,
    keep: keepLast ?? KEEP,
    holdOut: holdOut ?? HOLD_OUT,
    triggers: {
      at: at === undefined ? [] : readTimes(at, `${dashes}at`),
      ...defined({ every: every === undefined ? undefined : readDuration(every, `${dashes}every`), after: isDefault ? AFTER : after }),
    },
    ...defined({ tolerance, onEvent }),
  };
}

/** Milliseconds between two looks. */
export const lookMs = (look: string | undefined, dashes: '' | '--' = ''): number =>
  look === undefined ? LOOK_MS : readDuration(look, `${dashes}look`);
