/** What a checkpoint's own head answers, as its configuration says it. */
import { InputError } from '../base/error.ts';
import type { Config } from '../formats/config.ts';

/** The tasks that transformers has a word for. */
const PROBLEMS: readonly unknown[] = ['single_label_classification', 'multi_label_classification', 'regression'];

/** Transformers' `problem_type`; undefined where nothing is said. */
export function problemOf(c: Config): string | undefined {
  const problem = c.get('problem_type');
  if (problem === undefined || problem === null) return undefined;
  if (PROBLEMS.includes(problem)) return problem as string;
  throw new InputError({ where: c.where, what: 'unknown problem_type', got: JSON.stringify(problem), expected: PROBLEMS.join(', ') });
}

/** From which probabilities labels are answered, where `s2a merge` wrote it. */
export function thresholdsOf(c: Config): number[] | undefined {
  const list = c.get('s2a_thresholds');
  if (list === undefined) return undefined;
  if (Array.isArray(list) && list.every((t) => typeof t === 'number' && t > 0 && t < 1)) return list;
  throw new InputError({
    where: c.where,
    what: 'bad s2a_thresholds',
    got: JSON.stringify(list),
    expected: 'probabilities between 0 and 1',
  });
}
