/**
 * What becomes of classes that an earlier adapter knows and the folder has no pictures of: those that it remembers are rehearsed; for the others what was
 * learnt is held, and new classes get rows of the head alone.
 */
import { InputError } from '../../base/error.ts';
import type { TaskSettings } from '../../formats/tasksettings.ts';
import type { Preparation } from '../../input/index.ts';
import { rowsOfLabels, type Start } from '../fromadapter.ts';
import type { TrainJob } from '../jobtypes.ts';
import { unusualTask } from '../taskchoice.ts';
import type { TrainOptions } from '../train.ts';
import { checkMemory } from './rehearse.ts';

/** How a run goes on from an adapter. */
export interface Continuing {
  /** As given, but that a run whose adapter is held takes one step of size 0. */
  options: TrainOptions;
  /** Whether everything but rows of new classes stays as it is. */
  isHeld: boolean;
  /** Rows of classes that neither the folder nor the memory has pictures of. */
  missing: readonly number[];
}

interface Source {
  job: TrainJob;
  start: Start | undefined;
  options: TrainOptions;
  preprocess: Preparation;
  classes: readonly string[];
  task: TaskSettings;
  warn(sentence: string): void;
}

/** Settles it, says it, and refuses (InputError) what cannot be learnt without forgetting. */
export function continuing({ job, start, options, preprocess, classes, task, warn }: Source): Continuing {
  if (start === undefined) return { options, isHeld: false, missing: [] };
  if (start.memory) checkMemory(start.memory, preprocess, start.where);
  const rows = rowsOfLabels(classes, start.labels);
  const remembered = new Set(start.memory?.entries.filter(({ isJudge }) => !isJudge).map(({ label }) => label));
  const missing = [...start.labels.keys()].filter((row) => rows[row]! < 0 && !remembered.has(row));
  if (missing.length === 0) return { options, isHeld: false, missing };
  const names = listed(missing.map((row) => start.labels[row]!));
  if (unusualTask(task) || job.rate !== undefined) {
    warn(`no pictures of ${names}: learning the others may cost what the adapter knows of them`);
    return { options, isHeld: false, missing };
  }
  const hint = 'give pictures of the others too; train with --memory, so that later runs need none; --lr learns all the same, and forgets';
  const isNew = rowsOfLabels(start.labels, classes).some((row) => row < 0);
  if (!isNew) throw new InputError({ where: job.data, what: `only classes that ${start.where} knows, and no pictures of ${names}`, hint });
  if ('why' in start.known && classes.length === 1)
    throw new InputError({
      where: job.data,
      what: `one class, and nothing to tell it from: of ${start.where} no picture is remembered, and ${start.known.why}`,
      hint,
    });
  warn(`no pictures of ${names} are there or remembered: what was learnt is held, and the new classes get rows of the head alone`);
  return { options: { ...options, rate: 0, epochs: 1, patience: 0, retries: 0 }, isHeld: true, missing };
}

/** Names for a sentence. */
const listed = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
