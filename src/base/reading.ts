/**
 * Reads have ends. Every file from outside is opened here: what is no ordinary file is refused before it is opened, since a pipe would be waited
 * for and a device has no end; and what is read whole is read to its end or to a limit, whatever size the system names. docs/limits.md lists the limits.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { InputError } from './error.ts';

/** What an operating system's error code means to the person who reads it. */
const meanings: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EISDIR: 'is a folder, not a file',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file of that name is in the way',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'a link that leads back to itself',
  ENXIO: 'is not an ordinary file',
  EIO: 'the device reports a fault',
};

/** What a disk may have got over by the next try. */
const OF_THE_DISK = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** What an error of the system is to a program, by the system's own code. */
export const codeOf = (code: string): 'S2A_DISK' | 'S2A_FILE' => (OF_THE_DISK.has(code) ? 'S2A_DISK' : 'S2A_FILE');

/** The same for a code that came from elsewhere. */
export const meaningOf = (code: string): string => meanings[code] ?? code;

/** Runs `action` on `path`; an operating system's error becomes one sentence, everything else passes through. */
export function guarded<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | null)?.code;
    if (error instanceof InputError || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
    throw new InputError({ where: path, what: `${what}: ${meaningOf(code)}` }, codeOf(code));
  }
}

function refuseSpecial(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  throw new InputError({ where: path, what: stats.isDirectory() ? 'is a folder, not a file' : 'is not an ordinary file' }, 'S2A_FILE');
}

/** InputError where something other than an ordinary file stands in the place of one that is to be written. */
export function refuseSpecialAt(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats) refuseSpecial(path, stats);
}

/** Opens an ordinary file: for reading, or with 'r+' for writing into it as well. */
export function openOrdinary(path: string, flags: 'r' | 'r+' = 'r'): number {
  // Looked at before it is opened, which may already do something to a device; and again behind it, should another have come in between.
  refuseSpecial(
    path,
    guarded(path, 'cannot be opened', () => statSync(path)),
  );
  // A pipe that came in between is not waited for. Deno and Windows know no such flag.
  const how = (flags === 'r' ? constants.O_RDONLY : constants.O_RDWR) | (constants.O_NONBLOCK ?? 0);
  const fd = guarded(path, 'cannot be opened', () => openSync(path, how));
  try {
    refuseSpecial(path, fstatSync(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/**
 * The whole of an ordinary file of at most `limit` bytes. What grows while it is read ends there too; what names no size, as files of /proc,
 * is read to its end. `kind`: what such a large file is none of. `room` gives a buffer of that many bytes or more: another one, or the same again.
 */
export function readLimited(
  path: string,
  limit: number,
  kind: string,
  room: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const fd = openOrdinary(path);
  try {
    const { size } = fstatSync(fd);
    const tooLarge = (got: string): InputError =>
      new InputError({ where: path, what: `is too large for ${kind}`, got, expected: `at most ${limit}` }, 'S2A_FILE');
    if (size > limit) throw tooLarge(`${size} bytes`);
    // A byte more than it is said to have, and than it may have: the end is seen, and so is what lies beyond it.
    const most = limit + 1;
    let buffer = room(Math.min(Math.max(size + 1, 4096), most));
    let done = 0;
    for (;;) {
      if (done === buffer.length) {
        const larger = room(Math.min(2 * done, most));
        if (larger !== buffer) larger.set(buffer.subarray(0, done));
        buffer = larger;
      }
      const n = guarded(path, 'cannot be read', () => readSync(fd, buffer, done, Math.min(buffer.length, most) - done, done));
      if (n === 0) return buffer.subarray(0, done);
      done += n;
      if (done > limit) throw tooLarge('more');
    }
  } finally {
    closeSync(fd);
  }
}

/** The same as text, UTF-8. */
export const readLimitedText = (path: string, limit: number, kind: string): string =>
  new TextDecoder().decode(readLimited(path, limit, kind));
