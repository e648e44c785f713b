/**
 * What an array of targets beside an array of examples says: [N] whole numbers are classes; with --task multilabel [N, labels] of 0 and 1, with --task
 * regress [N] or [N, numbers]. Row i belongs to example i.
 */
import { join } from 'node:path';
import { Answer } from '../../assembly/abi/task.ts';
import { InputError } from '../base/error.ts';
import { fileExists } from '../base/files.ts';
import { readLimitedText } from '../base/reading.ts';
import { convertLine, type Npy, openNpy } from '../formats/npy/read.ts';
import { type TaskName, taskOf } from '../task/index.ts';

/** Which of several tasks columns are for is nowhere said. */
const CHOICES = '--task multilabel takes each column as a label of 0 and 1, --task regress as numbers';

/** Opens an array of targets, [N] or [N, columns], of as many rows as there are examples. */
function withRows<T>(path: string, { path: examples, shape }: Npy, read: (npy: Npy, columns: number) => T): T {
  const npy = openNpy(path);
  try {
    const [n, columns = 1] = npy.shape;
    if (npy.shape.length < 1 || npy.shape.length > 2 || columns === 0)
      throw new InputError({ where: path, what: 'has the wrong shape', got: `[${npy.shape.join(', ')}]`, expected: '[N] or [N, columns]' });
    if (n !== shape[0])
      throw new InputError({
        where: path,
        what: `has another number of labels than ${examples} has examples`,
        got: n!,
        expected: shape[0]!,
      });
    return read(npy, columns);
  } finally {
    npy.close();
  }
}

/** The whole numbers of an array of labels, one for each example; `wish`: --task. */
export const classNumbers = (path: string, examples: Npy, wish: TaskName | undefined): number[] =>
  withRows(path, examples, (npy, columns) => {
    const oneHot = `of one-hot rows: ${convertLine(path, 'ARRAY.argmax(1)')}`;
    if (columns > 1)
      throw new InputError({
        where: path,
        what: 'holds several numbers for each example, not one label',
        got: `[${npy.shape.join(', ')}]`,
        hint: wish === undefined ? `${CHOICES}; ${oneHot}` : oneHot,
      });
    const labels = [...npy.readNumbers(0, npy.shape[0]!)];
    const wrong = labels.findIndex((v) => !Number.isSafeInteger(v) || v < 0);
    if (wrong >= 0)
      throw new InputError({
        where: path,
        what: `label ${wrong} is no class`,
        got: labels[wrong]!,
        expected: 'whole numbers from 0 on',
        ...(wish === undefined ? { hint: '--task regress learns numbers' } : {}),
      });
    return labels;
  });

/** Targets of a task other than classification, [N][outputs], as f32 holds them. */
export const targetRows = (path: string, examples: Npy, task: TaskName): number[][] =>
  withRows(path, examples, (npy, columns) => {
    const isNumbers = taskOf(task).answer === Answer.Numbers;
    return Array.from({ length: npy.shape[0]! }, (_, row) =>
      Array.from(npy.readNumbers(row * columns, columns), (number, column) => {
        const value = Math.fround(number);
        if (isNumbers ? Number.isFinite(value) : value === 0 || value === 1) return value;
        throw new InputError({
          where: path,
          what: `row ${row}, column ${column} is no ${isNumbers ? 'finite number' : 'label'}`,
          got: number,
          ...(isNumbers ? {} : { expected: '0 or 1' }),
        });
      }),
    );
  });

const NAMES = 'classes.txt';

/** Names from classes.txt, a line each; undefined where there is none. */
export function namesIn(root: string): { path: string; names: string[] } | undefined {
  const path = join(root, NAMES);
  if (!fileExists(path)) return undefined;
  const names = readLimitedText(path, 1 << 20, 'a list of classes')
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim().normalize('NFC'));
  while (names.at(-1) === '') names.pop();
  const twice = names.find((name, i) => name === '' || names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new InputError({
      where: path,
      what: twice === '' ? 'has an empty line' : `names ${twice} twice`,
      expected: 'a line for each class',
    });
  return { path, names };
}

/** Names of so many columns: the lines of classes.txt; without it labels are numbered from 0 on, numbers `value`, or `value_0` and so on. */
export function columnNames(root: string, columns: number, task: TaskName): string[] {
  const named = namesIn(root);
  if (named && named.names.length !== columns)
    throw new InputError({
      where: named.path,
      what: 'does not name every column of the targets',
      got: `${named.names.length} names`,
      expected: columns,
    });
  if (named) return named.names;
  if (taskOf(task).answer !== Answer.Numbers) return Array.from({ length: columns }, (_, i) => String(i));
  return columns === 1 ? ['value'] : Array.from({ length: columns }, (_, i) => `value_${i}`);
}
