/** A table of labels or targets as it is read: which of its columns is which, by their names. */
import { InputError } from '../base/error.ts';
import { readLimited } from '../base/reading.ts';
import { parseCsv, type Table } from '../formats/csv.ts';

/** Tables that are found by their names. */
export const TABLES: readonly string[] = ['labels.csv', 'metadata.csv'];

const MEGABYTES = 64;
export const COLUMNS = {
  file: ['file_name', 'file', 'filename', 'image', 'path'],
  label: ['label', 'class', 'category'],
  labels: ['labels', 'tags'],
  part: ['split', 'part'],
} as const;
type Column = keyof typeof COLUMNS;

export interface LabelTable extends Table {
  where: string;
  columns: Partial<Record<Column, number>>;
}

/** Reads a table; columns that it has not are absent. */
export function readTable(where: string): LabelTable {
  const table = parseCsv(readLimited(where, MEGABYTES << 20, 'a table of labels'), where);
  const columns: LabelTable['columns'] = {};
  for (const [i, name] of table.header.entries()) {
    const column = columnOf(name);
    if (column === undefined) continue;
    const other = columns[column];
    if (other !== undefined)
      throw new InputError({
        where,
        what: `two columns for the ${column}`,
        got: `${table.header[other]} and ${name}`,
        expected: 'one of them',
      });
    columns[column] = i;
  }
  return { ...table, where, columns };
}

const columnOf = (name: string): Column | undefined =>
  (Object.keys(COLUMNS) as Column[]).find((column) => (COLUMNS[column] as readonly string[]).includes(name.toLowerCase()));
