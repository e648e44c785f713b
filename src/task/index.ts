/** Every task by name. */
import { Answer } from '../../assembly/abi/task.ts';
import { InputError } from '../base/error.ts';
import { f32, i32, type Type } from '../graph/graph.ts';
import { classify } from './classify.ts';
import { multilabel } from './multilabel.ts';
import { regress } from './regress.ts';
import type { Task, TaskSettings } from './task.ts';

export { probabilitiesOf } from './classify.ts';
export { standardise } from './regress.ts';
export type * from './task.ts';

const TASKS = { classify, multilabel, regress } as const satisfies Record<string, Task>;
export type TaskName = keyof typeof TASKS;
export const TASK_NAMES = Object.keys(TASKS) as TaskName[];
const LIST: readonly Task[] = Object.values(TASKS);

export const CLASSIFY: TaskSettings = { name: 'classify' };

/** A task by its name; `where` names what says it. */
export function taskOf(name: string, where = '--task'): Task {
  const task = LIST.find((t) => t.name === name);
  if (task) return task;
  throw new InputError({ where, what: 'unknown task', got: name, expected: TASK_NAMES.join(', ') });
}
/** The task that a configuration's problem_type names. */
export const taskOfProblem = (type: unknown): Task | undefined => LIST.find((t) => t.problemType === type);

/** Targets of a batch, in the arena. */
export const targetType = ({ answer }: Task, batch: number, outputs: number): Type =>
  answer === Answer.Class ? i32(batch) : f32(batch, outputs);

/** A task's constants as its loss reads them, [names, outputs]. Throws where one is missing or not a number for every output. */
export function constantsOf(settings: TaskSettings, outputs: number, where = 'task'): Float32Array {
  const rows = taskOf(settings.name, where).constants.map((name) => {
    const values = settings.constants?.[name];
    if (!Array.isArray(values) || values.length !== outputs || !values.every((v) => Number.isFinite(Math.fround(v))))
      throw new InputError({ where, what: `bad ${name}`, got: JSON.stringify(values) ?? 'nothing', expected: `${outputs} finite numbers` });
    if (name === 'std' && values.some((v) => Math.fround(v) <= 0))
      throw new InputError({ where, what: 'bad std', got: JSON.stringify(values), expected: 'numbers above 0' });
    return values as number[];
  });
  return Float32Array.from(rows.flat());
}
