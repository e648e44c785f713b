/**
 * Paths that cannot leave a folder. A path of the program's may not be absolute, nor climb out by `..`, nor leave through a symbolic
 * link: each link on the way is read here and followed by the same rules, and nothing outside the folder is ever looked at.
 *
 * This holds against the program, not against another process that swaps a folder for a link between the look and the opening: Node
 * has no openat.
 */
import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { join, sep } from 'node:path';

/** The errors that are told apart; by the names of the operating system, with preview1's numbers. */
export const ERRNO = {
  ...{ EACCES: 2, EBADF: 8, EBUSY: 10, EDQUOT: 19, EEXIST: 20, EFAULT: 21, EFBIG: 22, EINVAL: 28, EIO: 29, EISDIR: 31, ELOOP: 32 },
  ...{ EMFILE: 33, ENAMETOOLONG: 37, ENFILE: 41, ENOENT: 44, ENOMEM: 48, ENOSPC: 51, ENOSYS: 52, ENOTDIR: 54, ENOTEMPTY: 55 },
  ...{ EPERM: 63, EROFS: 69, ESPIPE: 70, EXDEV: 75, ENOTCAPABLE: 76 },
} as const;

/** Links on the way to one file; more are taken for a loop. */
const MOST_LINKS = 40;

export class Fault extends Error {
  code: keyof typeof ERRNO;
  constructor(code: keyof typeof ERRNO) {
    super(code);
    this.code = code;
  }
}

export function fault(code: keyof typeof ERRNO): never {
  throw new Fault(code);
}

/** A relative path's names, `.` left out. */
function components(path: string): string[] {
  if (path.startsWith('/')) fault('ENOTCAPABLE');
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  // On Windows these would be separators and drives.
  if (sep === '\\' && names.some((name) => /[\\:]/.test(name))) fault('EINVAL');
  return names;
}

export interface Place {
  path: string;
  /** What lies there, if anything; a link only where links are not followed. */
  stat: Stats | undefined;
  /** Whether this is the folder itself. */
  isRoot: boolean;
}

/** Where a path in `folder` leads. `follow`: also if its last name is a link. */
export function resolve(folder: string, wanted: string, follow: boolean): Place {
  // The program may have renamed a folder that it holds open, and put a link in its place.
  if (realpathSync(folder) !== folder) fault('ENOENT');
  const left = components(wanted);
  const isFolder = /(^|\/)\.{0,2}$/.test(wanted);
  const done: string[] = [];
  const look = (): Stats | undefined => lstatSync(join(folder, ...done), { throwIfNoEntry: false });
  let stat = look();
  for (let links = 0; left.length > 0; ) {
    if (!stat?.isDirectory()) fault(stat ? 'ENOTDIR' : 'ENOENT');
    const name = left.shift()!;
    if (name !== '..') done.push(name);
    else if (done.pop() === undefined) fault('ENOTCAPABLE');
    stat = look();
    if (!stat?.isSymbolicLink() || (left.length === 0 && !follow && !isFolder)) continue;
    if (++links > MOST_LINKS) fault('ELOOP');
    left.unshift(...components(readlinkSync(join(folder, ...done))));
    done.pop();
    stat = look();
  }
  if (isFolder && !stat?.isDirectory()) fault(stat ? 'ENOTDIR' : 'ENOENT');
  return { path: join(folder, ...done), stat, isRoot: done.length === 0 };
}
