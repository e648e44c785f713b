/** What stands in a folder: entries in an order that no file system, locale or runtime changes, and what is wrong with the others. */
import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { meaningOf } from '../base/files.ts';
import { visibleBytes } from '../base/visible.ts';
import { isSystems } from './parts.ts';

export interface Entries {
  folders: string[];
  files: { name: string; stats: Stats }[];
  /** What is neither, and why; `mayBeFolder`: pictures may be behind it that nobody sees. */
  others: { name: string; reason: string; mayBeFolder: boolean }[];
}

/** The same name however its accents are composed: macOS takes them apart, others do not. */
export const composed = (name: string): string => name.normalize('NFC');

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
/** Order of the composed names' UTF-8 bytes. */
export const byBytes = (a: string, b: string): number => compare(composed(a), composed(b)) || compare(a, b);

/** Visible entries in byte order; symbolic links count as what they lead to. Throws InputError where the folder cannot be read. */
export function entriesOf(folder: string): Entries {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'no such folder' : code === 'ENOTDIR' ? 'not a folder' : `cannot be read: ${meaningOf(String(code))}`;
    throw new InputError({ where: folder, what }, 'S2A_FILE');
  }
  const entries: Entries = { folders: [], files: [], others: [] };
  if (names.some((name) => name.includes('\ufffd'))) {
    const broken = notText(folder);
    if (broken.length > 0) entries.others.push(...broken);
    names = names.filter((name) => !name.includes('\ufffd') || statSync(join(folder, name), { throwIfNoEntry: false }) !== undefined);
  }
  for (const name of names.sort(byBytes)) {
    if (isSystems(name)) continue;
    let stats: Stats | undefined;
    try {
      stats = statSync(join(folder, name), { throwIfNoEntry: false });
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      const isLoop = code === 'ELOOP';
      entries.others.push({ name, reason: isLoop ? 'a link that leads back to itself' : meaningOf(code), mayBeFolder: !isLoop });
      continue;
    }
    if (stats?.isDirectory()) entries.folders.push(name);
    else if (stats?.isFile()) entries.files.push({ name, stats });
    else if (stats) entries.others.push({ name, reason: 'a special file', mayBeFolder: false });
    else entries.others.push({ name, reason: 'a broken link', mayBeFolder: true });
  }
  return entries;
}

/** Names that are no UTF-8: a string cannot hold them. */
function notText(folder: string): Entries['others'] {
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const isText = (bytes: Uint8Array): boolean => {
    try {
      utf8.decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  return (readdirSync(folder, { withFileTypes: true, encoding: 'buffer' }) as unknown as Dirent<Buffer>[])
    .filter(({ name }) => !isText(name))
    .sort((a, b) => Buffer.compare(a.name, b.name))
    .map((entry) => ({
      name: visibleBytes(entry.name),
      reason: 'its name is not UTF-8; give it another',
      mayBeFolder: !entry.isFile(),
    }));
}

/** Where a folder really is; itself where the system does not say. */
export function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
