/**
 * Which task a table is for, and each row's targets: what docs/data.md says of `label`, `labels` and `value` columns. Nothing is guessed: a table that
 * could be meant in two ways is refused with the options that decide it.
 */
import { Answer } from '../../assembly/abi/task.ts';
import { InputError, shown } from '../base/error.ts';
import { CLASSIFY, type TaskName, taskOf } from '../task/index.ts';
import { composed } from './entries.ts';
import { listed } from './folder.ts';
import type { LabelTable } from './table.ts';

/** Where a table's targets stand. */
export interface Targets {
  task: TaskName;
  /** The columns that hold them; a `list` is one column of names with | between them. */
  columns: readonly { name: string; at: number }[];
  isList: boolean;
}

/** Columns of numbers by their names: `value`, `target`, `value_x`, `target.angle`. */
const NUMBERS = /^(value|target)s?([ _.:-].*)?$/i;
const SEPARATOR = '|';

/** The targets of a table. `wish` is --task; without it the columns' names decide. */
export function targetsOf(table: LabelTable, wish: TaskName | undefined): Targets {
  const { where, header, columns } = table;
  const task = wish ?? taskIn(table);
  const at = (index: number) => ({ name: header[index]!, at: index });
  const other = othersIn(table);
  const numbers = other.filter((i) => NUMBERS.test(header[i]!)).map(at);
  const rest = other.filter((i) => !NUMBERS.test(header[i]!)).map(at);
  const { answer } = taskOf(task);
  if (answer === Answer.Class) {
    if (wish === undefined && columns.label !== undefined) checkNames(table, columns.label);
    return { task, columns: columns.label === undefined ? [] : [at(columns.label)], isList: false };
  }
  const label = columns.label === undefined ? [] : [at(columns.label)];
  const isNumbers = answer === Answer.Numbers;
  if (!isNumbers) {
    const list = columns.labels === undefined ? label : [at(columns.labels)];
    if (list.length > 0) return { task, columns: list, isList: true };
  }
  const found = isNumbers && numbers.length > 0 ? numbers : [...rest, ...(isNumbers ? [] : numbers)];
  const chosen = found.length > 0 ? found : label;
  if (chosen.length > 0) return { task, columns: chosen, isList: false };
  throw new InputError({
    where,
    what: isNumbers ? 'no column of numbers' : 'no column of labels',
    got: header.map((name) => name || '(no name)').join(', '),
    expected: isNumbers ? 'a header such as file,value' : 'a header such as file,labels or file,sun,rain',
  });
}

/** Whether a table may serve beside folders: its columns' names, or --task, say what it is for. */
export const isUsable = ({ columns, header }: LabelTable, wish: TaskName | undefined): boolean =>
  columns.file !== undefined &&
  (columns.label !== undefined ||
    columns.labels !== undefined ||
    header.some((name) => NUMBERS.test(name)) ||
    (wish ?? CLASSIFY.name) !== CLASSIFY.name);

const othersIn = ({ header, columns }: LabelTable): number[] => {
  const known = new Set(Object.values(columns));
  return [...header.keys()].filter((i) => !known.has(i));
};

/** The one task that the names of a table's columns mean. */
function taskIn(table: LabelTable): TaskName {
  const { where, header, columns } = table;
  const numbers = othersIn(table).filter((i) => NUMBERS.test(header[i]!));
  const meant: [TaskName, string][] = [];
  if (columns.label !== undefined) meant.push(['classify', header[columns.label]!]);
  if (columns.labels !== undefined) meant.push(['multilabel', header[columns.labels]!]);
  if (numbers.length > 0) meant.push(['regress', listed(numbers.map((i) => header[i]!))]);
  if (meant.length === 1) return meant[0]![0];
  const others = othersIn(table).map((i) => header[i] || '(no name)');
  if (meant.length > 1)
    throw new InputError({
      where,
      what: 'columns for more than one task',
      got: meant.map(([task, names]) => `${names} (${task})`).join(', '),
      hint: `--task ${meant.map(([task]) => task).join(' or --task ')} chooses one`,
    });
  // Without a file or anything to learn it is no table of targets: labels.ts says what is missing.
  if (columns.file === undefined || others.length === 0) return 'classify';
  throw new InputError({
    where,
    what: 'no column for the label, and others that may be labels or numbers',
    got: listed(others),
    hint: '--task multilabel takes each as a label of 0 and 1, --task regress as numbers',
  });
}

/** Refuses labels that may be no names of classes: several in one, or numbers that are measured. */
function checkNames({ where, rows, header }: LabelTable, column: number): void {
  const several = rows.find(({ fields }) => fields[column]!.includes(SEPARATOR));
  if (several)
    throw new InputError({
      where: `${where} line ${several.line}`,
      what: `may be one class or several labels: ${shown(several.fields[column]!)}`,
      hint: '--task multilabel takes them apart, --task classify takes it as one name',
    });
  const isNumber = (text: string): boolean => text !== '' && Number.isFinite(Number(text));
  const broken = rows.find(({ fields }) => isNumber(fields[column]!) && !Number.isInteger(Number(fields[column])));
  if (broken && rows.every(({ fields }) => isNumber(fields[column]!)))
    throw new InputError({
      where: `${where} line ${broken.line}`,
      what: `may be a class or a measured number: column ${header[column]} holds ${broken.fields[column]}`,
      hint: '--task regress learns the numbers, --task classify takes each as a name',
    });
}

/** A row's targets by name. Labels that a list does not name are absent. */
export function targetsIn({ columns, isList, task }: Targets, fields: readonly string[], where: string): ReadonlyMap<string, number> {
  if (isList) return namesIn(fields[columns[0]!.at]!, where);
  return new Map(
    columns.map(({ name, at }) => [
      composed(name),
      taskOf(task).answer === Answer.Numbers ? numberIn(fields[at]!, name, where) : flagIn(fields[at]!, name, where),
    ]),
  );
}

function namesIn(text: string, where: string): Map<string, number> {
  const names = text
    .split(SEPARATOR)
    .map((name) => composed(name.trim()))
    .filter((name) => name !== '');
  const found = new Map<string, number>();
  for (const name of names) {
    if (/[,;]/.test(name))
      throw new InputError({ where, what: `may be one label or several: ${shown(name)}`, expected: 'labels with | between them' });
    if (found.has(name)) throw new InputError({ where, what: `the label ${name} stands twice` });
    found.set(name, 1);
  }
  return found;
}

function flagIn(text: string, column: string, where: string): number {
  if (text === '0' || text === '1') return Number(text);
  throw new InputError({
    where,
    what: `column ${column} is no label`,
    got: shown(text) || 'nothing',
    expected: '0 or 1',
    hint: 'every column beside file and split is one; leave others out of the table',
  });
}

function numberIn(text: string, column: string, where: string): number {
  const value = Math.fround(Number(text));
  if (text !== '' && Number.isFinite(value)) return value;
  throw new InputError({
    where,
    what: `column ${column} holds no number`,
    got: shown(text) || 'nothing',
    expected: 'a number such as 12.5',
    ...(/^[-+]?\d+,\d+$/.test(text) ? { hint: `with a point: ${text.replace(',', '.')}` } : {}),
  });
}
