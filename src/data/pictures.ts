/** Every picture that is named, or lies below a folder that is, whatever the folder's layout. */
import { basename, dirname, join } from 'node:path';
import { InputError } from '../base/error.ts';
import { isFolder } from '../base/files.ts';
import { entriesOf, realPath } from './entries.ts';
import { isPicture } from './kinds.ts';

/** A picture and the name of the folder that it lies in, below the one that was named; empty where it was named itself, or lies in that one. */
export interface FoundPicture {
  file: string;
  label: string;
}

/** Folders within folders that are looked into. */
const DEEPEST = 16;

/** In the order of the names given, below a folder in byte order. Throws InputError for a folder that cannot be read or holds none. */
export function picturesOf(names: readonly string[]): FoundPicture[] {
  return names.flatMap((name) => {
    if (!isFolder(name)) return [{ file: name, label: '' }];
    const found: FoundPicture[] = [];
    const seen = new Set<string>();
    const into = (folder: string, depth: number): void => {
      const real = realPath(folder);
      if (seen.has(real) || depth > DEEPEST) return;
      seen.add(real);
      const { folders, files } = entriesOf(folder);
      for (const file of files)
        if (isPicture(file.name)) {
          const path = join(folder, file.name);
          found.push({ file: path, label: depth === 0 ? '' : basename(dirname(path)) });
        }
      for (const inner of folders) into(join(folder, inner), depth + 1);
    };
    into(name, 0);
    if (found.length === 0) throw new InputError({ where: name, what: 'no picture lies in it', expected: '.jpg, .png or .webp' });
    return found;
  });
}
