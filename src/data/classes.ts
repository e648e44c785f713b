/** Class folders: one for each class, pictures directly in them. */
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { spelled } from '../base/visible.ts';
import { composed, entriesOf } from './entries.ts';
import { listed, type Named, type Skipped } from './folder.ts';
import type { Wanted } from './kinds.ts';

export interface ClassFolders {
  pictures: Named[];
  skipped: Skipped[];
  /** Classes without a picture, each with the sentence that says what it has instead. */
  empty: InputError[];
}

/** The pictures of the folders `names` below `base`, which is empty or ends in `/`. Class by class, in the order of `names`. */
export function classFolders(root: string, base: string, names: readonly string[], wanted: Wanted): ClassFolders {
  const found: ClassFolders = { pictures: [], skipped: [], empty: [] };
  const spellings = new Map<string, string>();
  for (const name of names) {
    const label = composed(name);
    const other = spellings.get(label);
    if (other !== undefined)
      throw new InputError({
        where: join(root, base, name),
        what: 'two folders of the same name, its accents written in two ways',
        got: `${spelled(other)} and ${spelled(name)}`,
        expected: 'one of them',
      });
    spellings.set(label, name);
    readClass(root, `${base}${name}`, label, { found, wanted });
  }
  return found;
}

function readClass(root: string, below: string, label: string, { found, wanted }: { found: ClassFolders; wanted: Wanted }): void {
  const { folders, files, others } = entriesOf(join(root, below));
  const before = found.pictures.length;
  for (const folder of folders) found.skipped.push({ path: `${below}/${folder}`, reason: 'a folder inside a class folder' });
  for (const { name, reason } of others) found.skipped.push({ path: `${below}/${name}`, reason });
  for (const { name, stats } of files) {
    const path = `${below}/${name}`;
    if (wanted.isOne(name)) found.pictures.push({ path, label, bytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) });
    else found.skipped.push({ path, reason: wanted.whyNot(name) });
  }
  if (found.pictures.length > before) return;
  const where = join(root, below);
  const kind = wanted.unread(where, files);
  const deeper = folders.filter((folder) => entriesOf(join(where, folder)).files.some(({ name }) => wanted.isOne(name)));
  found.empty.push(
    new InputError({
      where,
      what: kind?.what ?? `no ${wanted.many} in this class folder`,
      ...(kind ? { hint: kind.hint } : { expected: wanted.read }),
      ...(deeper.length > 0
        ? {
            hint: `${wanted.many} lie one folder deeper, in ${listed(deeper)}, and are not looked for there: move them up, or give ${where} itself`,
          }
        : {}),
    }),
  );
}
