/** Names with `*`, `?`, `[…]` and `**` in them, for where no shell has replaced them: in quotes, from a service file, or too many for one command line. */
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { fileExists, isFolder } from '../base/files.ts';
import { entriesOf, realPath } from './entries.ts';

/** Folders that `**` goes down. */
const DEEPEST = 16;

/** Whether a name is a pattern, and not that of something that is there. */
export const isGlob = (name: string): boolean => /[*?[]/.test(name) && !fileExists(name) && !isFolder(name);

/** A part of a path, between two slashes, as a regular expression. */
function expression(part: string): RegExp {
  const source = part.replace(/\[(!?)([^\]/]+)\]|[*?]|[\\^$.|+(){}[\]]/g, (found, not: string | undefined, set: string | undefined) => {
    if (found === '*') return '.*';
    if (found === '?') return '.';
    return set === undefined ? `\\${found}` : `[${not === '!' ? '^' : ''}${set.replace(/[\\^\]]/g, '\\$&')}]`;
  });
  return new RegExp(`^${source}$`, 'su');
}

/** What a pattern names, folders too, each folder's own in byte order and before those of the folders in it; what is hidden (.name) only where it is written out. Throws InputError where that is nothing, or where it is no pattern. */
export function expandGlob(pattern: string): string[] {
  const parts = pattern.split('/').filter((part, i) => part !== '' || i === 0);
  const isAbsolute = parts[0] === '';
  const found = new Set<string>();
  const seen = new Set<string>();
  const into = (folder: string, [part, ...rest]: readonly string[], depth: number): void => {
    if (part === undefined || !(folder === '' || isFolder(folder))) return;
    const step = (name: string): void => {
      const path = join(folder, name);
      if (rest.length > 0) into(path, rest, depth + 1);
      else if (fileExists(path) || isFolder(path)) found.add(path);
    };
    if (!/[*?[]/.test(part)) {
      step(part);
      return;
    }
    const { folders, files } = entriesOf(folder === '' ? '.' : folder);
    if (part === '**') {
      // A link may lead back.
      const place = `${rest.join('/')}\n${realPath(folder === '' ? '.' : folder)}`;
      if (seen.has(place)) return;
      seen.add(place);
      into(folder, rest.length > 0 ? rest : ['*'], depth);
      if (depth < DEEPEST) for (const name of folders) into(join(folder, name), [part, ...rest], depth + 1);
      return;
    }
    const fits = matcher(part, pattern);
    for (const { name } of files) if (rest.length === 0 && fits.test(name)) found.add(join(folder, name));
    for (const name of folders) if (fits.test(name)) step(name);
  };
  into(isAbsolute ? '/' : '', isAbsolute ? parts.slice(1) : parts, 0);
  if (found.size > 0) return [...found];
  throw new InputError({ where: pattern, what: 'no file has such a name' }, 'S2A_FILE');
}

function matcher(part: string, pattern: string): RegExp {
  try {
    return expression(part);
  } catch {
    throw new InputError({ where: pattern, what: 'is no pattern', got: part, expected: 'a name with *, ?, [abc] or [a-z] in it' });
  }
}
