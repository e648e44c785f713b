/**
 * Labels from a table beside the pictures instead of from folders: `labels.csv`, `metadata.csv` (as Hugging Face's ImageFolder has it), or a file
 * that --labels names.
 *
 *     file,label,split        file_name, file, filename, image or path · label, class or category · split or part, which may be absent
 *     cats/1.jpg,cat,train    the file is named from the table's own folder, or for --labels from the folder of pictures
 */
import { join } from 'node:path';
import { counted } from '../base/counted.ts';
import { InputError, nearest, shown } from '../base/error.ts';
import { byBytes, composed, entriesOf, realPath } from './entries.ts';
import { listed, type Named, type Skipped } from './folder.ts';
import { PICTURES, type Wanted } from './kinds.ts';
import { type PartName, partOf } from './parts.ts';
import { COLUMNS, type LabelTable } from './table.ts';
import { type Targets, targetsIn } from './targets.ts';

export interface Labelled {
  pictures: Named[];
  skipped: Skipped[];
  /** What is to be known of the table, one sentence each. */
  notes: string[];
}

/** The pictures of a table; `base` is the folder below `root` that its files are named from, empty or with `/` at its end. */
export function labelled(root: string, base: string, table: LabelTable, targets: Targets, wanted: Wanted = PICTURES): Labelled {
  const { where, header, rows, columns } = table;
  const { file, label } = columnsOf(table, targets);
  if (rows.length === 0) throw new InputError({ where, what: 'has a header and no rows' });
  const there = walk(root, base, table);
  const notes = [...there.notes];
  const used = new Set([columns.file, columns.part, ...targets.columns.map(({ at }) => at)]);
  const unknown = header.filter((_, i) => !used.has(i));
  if (unknown.length > 0) notes.push(`${where}: not used: column${unknown.length === 1 ? '' : 's'} ${listed(unknown)}`);

  const found = new Map<string, { line: number; row: Named }>();
  const missing: { line: number; name: string }[] = [];
  for (const { line, fields } of rows) {
    const name = fields[file]!;
    const at = `${where} line ${line}`;
    if (name === '') throw new InputError({ where: at, what: 'no file is named' });
    const isClass = targets.task === 'classify';
    if (isClass && fields[label] === '') throw new InputError({ where: at, what: `the label of ${name} is empty` });
    const key = keyOf(name, there.files, at);
    const entry = there.files.get(key);
    if (entry === undefined) {
      missing.push({ line, name });
      continue;
    }
    const before = found.get(key);
    const part = columns.part === undefined ? undefined : partIn(fields[columns.part]!, at, header[columns.part]!);
    const target = isClass ? { label: composed(fields[label]!) } : { label: '', targets: targetsIn(targets, fields, at) };
    const row: Named = { ...entry, ...target, ...(part ? { part } : {}) };
    if (before)
      throw new InputError({
        where: at,
        what: `${name} stands twice`,
        got:
          before.row.label === row.label || !isClass
            ? `line ${before.line} too`
            : `${row.label}, and ${before.row.label} on line ${before.line}`,
        expected: 'one line for each picture',
      });
    found.set(key, { line, row });
  }
  refuseMissing(missing, where, join(root, base), there.files.keys());
  const unnamed = [...there.files].filter(([key, { path }]) => !found.has(key) && wanted.isOne(path)).map(([, { path }]) => path);
  if (unnamed.length > 0)
    notes.push(
      `${where} does not name ${counted(unnamed.length, wanted.one)}, which ${unnamed.length === 1 ? 'is' : 'are'} not used: ${listed(unnamed)}`,
    );
  const pictures = [...found.values()].map(({ row }) => row).sort((a, b) => byBytes(a.path, b.path));
  const skipped = pictures.filter(({ path }) => !wanted.isOne(path)).map(({ path }) => ({ path, reason: wanted.whyNot(path) }));
  return { pictures: pictures.filter(({ path }) => wanted.isOne(path)), skipped, notes };
}

/** The columns of files' names and of what is first said of them. */
function columnsOf({ where, header, columns: { file } }: LabelTable, targets: Targets): { file: number; label: number } {
  const label = targets.columns[0]?.at;
  if (file !== undefined && label !== undefined) return { file, label };
  const missing = file === undefined ? 'file' : 'label';
  throw new InputError({
    where,
    what: `no column for the ${missing}`,
    got: header.map((name) => name || '(no name)').join(', '),
    expected: `a header such as file,label: ${COLUMNS[missing].join(', ')}`,
  });
}

/** Throws for the first of the files that a table names and that are not there. */
function refuseMissing(missing: readonly { line: number; name: string }[], where: string, folder: string, there: Iterable<string>): void {
  const [gone] = missing;
  if (gone === undefined) return;
  const near = nearest(gone.name, there)[0];
  throw new InputError({
    where: `${where} line ${gone.line}`,
    what: `${gone.name} is not there${missing.length === 1 ? '' : `, nor ${missing.length === 2 ? 'is' : 'are'} ${missing.length - 1} more`}`,
    expected: `files named from ${folder}`,
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  });
}

function partIn(word: string, where: string, column: string): PartName {
  const part = partOf(word);
  if (part) return part;
  throw new InputError({ where, what: `unknown ${shown(column)}`, got: shown(word) || 'nothing', expected: 'train, val or test' });
}

/** A file's name as the folders have it: without ./, with / for \, composed. */
function keyOf(name: string, files: ReadonlyMap<string, unknown>, where: string): string {
  const plain = composed(name.replace(/^(\.\/)+/, '').replace(/\/{2,}/g, '/'));
  if (files.has(plain)) return plain;
  const slashes = plain.replaceAll('\\', '/').replace(/^(\.\/)+/, '');
  if (/^(\/|[a-z]:)/i.test(slashes) || slashes.split('/').includes('..'))
    throw new InputError({ where, what: `${name} leads out of the folder of pictures`, expected: 'names below it, such as cats/1.jpg' });
  return slashes;
}

/** Folders within folders that are looked into. */
const DEEPEST = 16;

/** Every file below a folder, by its composed name from there. A folder that was seen already, and so every loop of links, costs a line. */
function walk(root: string, base: string, { where }: LabelTable): { files: Map<string, Omit<Named, 'label'>>; notes: string[] } {
  const files = new Map<string, Omit<Named, 'label'>>();
  const notes: string[] = [];
  const seen = new Set<string>();
  const into = (below: string, depth: number): void => {
    const real = realPath(join(root, base, below));
    if (seen.has(real) || depth > DEEPEST) {
      notes.push(
        `${base}${below} is not looked into: ${seen.has(real) ? 'it leads to a folder that was seen already' : `it lies ${DEEPEST} folders deep`}`,
      );
      return;
    }
    seen.add(real);
    const { folders, files: here, others } = entriesOf(join(root, base, below));
    for (const { name, reason } of others) notes.push(`${base}${below}${name} is not used: ${reason}`);
    for (const { name, stats } of here) {
      const path = `${base}${below}${name}`;
      if (join(root, path) === where) continue;
      files.set(composed(`${below}${name}`), { path, bytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) });
    }
    for (const name of folders) into(`${below}${name}/`, depth + 1);
  };
  into('', 0);
  return { files, notes };
}
