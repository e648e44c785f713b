/** The task of a run: what its pictures say, what was asked for beside it, and what an adapter that it goes on from knows already. */

import { Answer } from '../../assembly/abi/task.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError, nearest } from '../base/error.ts';
import type { Folder } from '../data/folder.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { type Augmentation, isMixed } from '../pipeline/options.ts';
import { CLASSIFY, standardise, type Task, type TaskName, taskOf } from '../task/index.ts';

/** A probability from which a label is answered: one for all, or by label. */
export type Thresholds = number | Readonly<Record<string, number>>;

/** `balanced`: each class the inverse of how many pictures it has; or by name, 1 where a class is not named. */
export type ClassWeights = 'balanced' | Readonly<Record<string, number>>;

export interface TaskWish {
  /** What the pictures are for, where a table of theirs does not say it: docs/data.md. */
  task?: TaskName;
  /** Of labels: the probability from which one is answered, for all or by label; 0.5 where absent. */
  threshold?: Thresholds;
  /** Of numbers: `huber` (squares up to one standard deviation, then lines; the default) or `squares`. */
  loss?: 'huber' | 'squares';
  head?: string;
  smoothing?: number;
  balance?: boolean;
  classWeights?: ClassWeights;
  augment?: Augmentation;
}

/** What is known of an earlier adapter. */
export interface Earlier {
  where: string;
  labels: readonly string[];
  task: TaskSettings;
}

/** What pictures say of their task. */
export type Chosen = Pick<Folder, 'root' | 'task' | 'classes' | 'train'>;

/** The settings for `labels`, the rows of the head: those of an earlier adapter first. */
export function chooseTask(wish: TaskWish, folder: Chosen, labels: readonly string[], earlier: Earlier | undefined): TaskSettings {
  const name = folder.task ?? CLASSIFY.name;
  if (earlier && earlier.task.name !== name)
    throw new InputError({
      where: earlier.where,
      what: 'the adapter was trained for another task',
      got: `${name}, which the pictures are for`,
      expected: earlier.task.name,
      hint: 'start anew without --from',
    });
  const task = taskOf(name);
  checkWish(wish, task);
  if (name === CLASSIFY.name) return CLASSIFY;
  const loss = wish.loss ?? earlier?.task.loss ?? task.losses[0];
  const has = (constant: string): boolean => task.constants.includes(constant);
  const constants = {
    ...(has('threshold') ? { threshold: thresholds(wish.threshold, labels, earlier) } : {}),
    ...(has('mean') ? scales(folder, labels, earlier) : {}),
  };
  return { name, ...(loss === undefined ? {} : { loss }), constants };
}

/** Refuses what a task has no use for. */
function checkWish(
  { threshold, loss, head, smoothing = 0, balance = false, classWeights, augment }: TaskWish,
  { name, answer, constants, losses }: Task,
): void {
  const refuse = (where: string, what: string): never => {
    throw new InputError({ where, what, got: `task ${name}` }, 'S2A_OPTION');
  };
  if (threshold !== undefined && !constants.includes('threshold'))
    refuse('--threshold', 'is for labels, of which any number may be answered');
  if (loss !== undefined && !losses.includes(loss)) refuse('--loss', 'is for numbers');
  if (head === 'ridge' && name !== CLASSIFY.name) refuse('--head', 'ridge regression is for classes');
  if (balance && answer !== Answer.Class) refuse('--balance', 'is for classes, of which each picture has one');
  if (classWeights !== undefined && answer !== Answer.Class) refuse('--class-weights', 'is for classes, of which each picture has one');
  if (classWeights === 'balanced' && balance)
    throw new InputError(
      { where: '--class-weights', what: 'with --balance every class comes as often as any other', hint: 'give one of the two' },
      'S2A_OPTION',
    );
  if (isMixed(augment) && answer !== Answer.Class) refuse('--augment', 'mixup and cutmix are for classes, of which each picture has one');
  if (smoothing > 0 && answer === Answer.Numbers) refuse('--label-smoothing', 'is for classes and labels');
}

function thresholds(wish: Thresholds = {}, labels: readonly string[], earlier: Earlier | undefined): number[] {
  if (typeof wish === 'number') return labels.map(() => wish);
  for (const label of Object.keys(wish)) {
    if (labels.includes(label)) continue;
    const near = nearest(label, labels)[0];
    throw new InputError(
      { where: '--threshold', what: `no label ${label}`, expected: labels.join(', '), ...(near ? { hint: `did you mean ${near}?` } : {}) },
      'S2A_OPTION',
    );
  }
  return labels.map((label) => wish[label] ?? earlier?.task.constants?.threshold?.[earlier.labels.indexOf(label)] ?? DEFAULTS.threshold);
}

/** Means and deviations of the pictures to learn from; an earlier adapter's outputs keep theirs, in which its rows are. */
function scales(
  { root, classes, train }: Chosen,
  labels: readonly string[],
  earlier: Earlier | undefined,
): Record<'mean' | 'std', number[]> {
  const missing = earlier?.labels.find((label) => !classes.includes(label));
  if (missing !== undefined)
    throw new InputError({
      where: root,
      what: `no numbers of ${missing}, which the adapter of --from answers`,
      expected: earlier!.labels.join(', '),
    });
  const found = standardise(train.map(({ values }) => values!));
  const of = (key: 'mean' | 'std'): number[] =>
    labels.map((label) => earlier?.task.constants?.[key]?.[earlier.labels.indexOf(label)] ?? found[key][classes.indexOf(label)]!);
  return { mean: of('mean'), std: of('std') };
}

/** The settings as options and files carry them: nothing where the task is classification. */
export const unusualTask = (task: TaskSettings): TaskSettings | undefined => (task.name === CLASSIFY.name ? undefined : task);

/** The settings that measuring by an adapter takes; refuses pictures that are for another task. */
export function sameTask(task: TaskSettings | undefined, folder: { task?: Folder['task'] }, where: string): TaskSettings {
  const [mine, its] = [task ?? CLASSIFY, folder.task ?? CLASSIFY.name];
  taskOf(mine.name, where);
  if (mine.name === its) return mine;
  throw new InputError({
    where,
    what: 'the adapter was trained for another task than the pictures are for',
    got: its,
    expected: mine.name,
  });
}
