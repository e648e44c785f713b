/** Class folders: one for each class, pictures directly in them. */
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { spelled } from '../base/visible.ts';
import { composed, entriesOf } from './entries.ts';
import { listed, type Named, type Skipped } from './folder.ts';
import { isPicture, READ_KINDS, unreadClass, whyNot } from './kinds.ts';

export interface ClassFolders {
  pictures: Named[];
  skipped: Skipped[];
  /** Classes without a picture, each with the sentence that says what it has instead. */
  empty: InputError[];
}

/** The pictures of the folders `names` below `base`, which is empty or ends in `/`. Class by class, in the order of `names`. */
export function classFolders(root: string, base: string, names: readonly string[]): ClassFolders {
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
    readClass(root, `${base}${name}`, label, found);
  }
  return found;
}

function readClass(root: string, below: string, label: string, found: ClassFolders): void {
  const { folders, files, others } = entriesOf(join(root, below));
  const before = found.pictures.length;
  for (const folder of folders) found.skipped.push({ path: `${below}/${folder}`, reason: 'a folder inside a class folder' });
  for (const { name, reason } of others) found.skipped.push({ path: `${below}/${name}`, reason });
  for (const { name, stats } of files) {
    const path = `${below}/${name}`;
    if (isPicture(name)) found.pictures.push({ path, label, bytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) });
    else found.skipped.push({ path, reason: whyNot(name) });
  }
  if (found.pictures.length > before) return;
  const where = join(root, below);
  const kind = unreadClass(where, files);
  const deeper = folders.filter((folder) => entriesOf(join(where, folder)).files.some(({ name }) => isPicture(name)));
  found.empty.push(
    new InputError({
      where,
      what: kind?.what ?? 'no pictures in this class folder',
      ...(kind ? { hint: kind.hint } : { expected: READ_KINDS }),
      ...(deeper.length > 0
        ? {
            hint: `pictures lie one folder deeper, in ${listed(deeper)}, and are not looked for there: move them up, or give ${where} itself`,
          }
        : {}),
    }),
  );
}
