/**
 * Files on a board whose power may go at any moment: a file appears whole under its name or not at all, and every byte
 * written is counted, because SD cards wear.
 */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from './error.ts';
import { parseJson } from './json.ts';
import { refusePretender } from './placeholder.ts';
import { guarded, openOrdinary, readLimited, refuseSpecialAt } from './reading.ts';

export { guarded, meaningOf } from './reading.ts';

/** Something that is read by ranges. `readAt` fills the whole target or throws. */
export interface ByteSource {
  readonly size: number;
  readAt(offset: number, target: Uint8Array): void;
  close(): void;
}

/** Appends to the file being written. */
export type Write = (bytes: Uint8Array) => void;

let written = 0;
/** Temporary files that this process is writing. */
const temporaries = new Set<string>();

/** Bytes that this process has handed to the file system so far. */
export function bytesWritten(): number {
  return written;
}

/** Opens a file for reading by ranges. */
export function openFile(path: string): ByteSource {
  const fd = openOrdinary(path);
  return sourceOf(fd, path, fstatSync(fd).size);
}

function sourceOf(fd: number, path: string, size: number): ByteSource {
  return {
    size,
    readAt(offset, target) {
      let done = 0;
      while (done < target.length) {
        const n = guarded(path, 'cannot be read', () => readSync(fd, target, done, target.length - done, offset + done));
        if (n === 0) throw endsEarly(path, offset + done, offset + target.length);
        done += n;
      }
    },
    close: () => closeSync(fd),
  };
}

function readBeside(fd: number, path: string, offset: number, target: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = (done: number): void => {
      if (done === target.length) {
        resolve();
        return;
      }
      read(fd, target, done, target.length - done, offset + done, (error, n) => {
        try {
          guarded(path, 'cannot be read', () => {
            if (error) throw error;
          });
          if (n === 0) throw endsEarly(path, offset + done, offset + target.length);
          go(done + n);
        } catch (fault) {
          reject(fault);
        }
      });
    };
    go(0);
  });
}

const endsEarly = (path: string, got: number, expected: number): InputError =>
  new InputError({ where: path, what: 'ends early', got: `${got} bytes`, expected });

/** A file that is read and written by ranges, in place: for what may be lost. */
export interface Store extends ByteSource {
  writeAt(offset: number, bytes: Uint8Array): void;
  /** Reads while the caller does something else; the target is not to be touched until it is whole. Rejects as `readAt` throws. */
  startReading(offset: number, target: Uint8Array): Promise<void>;
}

/** Opens a store; with `bytes` makes it anew, so large, and zero. */
export function openStore(path: string, bytes?: number): Store {
  if (bytes !== undefined) refuseSpecialAt(path);
  const fd = bytes === undefined ? openOrdinary(path, 'r+') : guarded(path, 'cannot be opened', () => openSync(path, 'w+'));
  if (bytes !== undefined) guarded(path, 'cannot be written', () => ftruncateSync(fd, bytes));
  const { size } = fstatSync(fd);
  return {
    ...sourceOf(fd, path, size),
    startReading: (offset, target) => readBeside(fd, path, offset, target),
    writeAt(offset, data) {
      for (let done = 0; done < data.length; ) {
        const n = guarded(path, 'cannot be written', () => writeSync(fd, data, done, data.length - done, offset + done));
        done += n;
        written += n;
      }
    },
  };
}

/** Bytes that the disk of a path has left; undefined where the system does not say. */
export function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** A file in the making. */
export interface NewFile {
  write: Write;
  /** For a process that writes a part of the file itself, at `offset`; what it wrote is counted by `wroteAlready`. */
  fd: number;
  /** Where the bytes are until `commit`. */
  temporary: string;
  wroteAlready(bytes: number): void;
  /** The file appears under its name. */
  commit(): void;
  /** Nothing remains; does nothing after `commit`. */
  discard(): void;
}

/**
 * Begins a file that will appear whole or not at all: a temporary name in the same folder, synced, renamed over `path`, the folder synced.
 * Until `commit` what stood at `path` before is untouched; after `discard`, as after a failed `commit`, the temporary file is gone.
 * `mode`: who may read and write it, beside what the process's own mask takes away.
 */
export function createFile(path: string, mode = 0o666): NewFile {
  const folder = dirname(path);
  const name = `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const temporary = join(folder, name);
  const fd = guarded(path, 'cannot be written', () => openSync(temporary, 'wx', mode));
  temporaries.add(name);
  let isOpen = true;
  const close = () => {
    if (isOpen) {
      isOpen = false;
      closeSync(fd);
    }
  };
  const discard = () => {
    if (!temporaries.delete(name)) return;
    close();
    rmSync(temporary, { force: true });
  };
  let end = 0;
  const count = (n: number) => {
    end += n;
    written += n;
  };
  return {
    fd,
    temporary,
    wroteAlready: count,
    write(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const n = guarded(path, 'cannot be written', () => writeSync(fd, bytes, done, bytes.length - done, end));
        done += n;
        count(n);
      }
    },
    commit() {
      try {
        guarded(path, 'cannot be written', () => {
          fsyncSync(fd);
          close();
          renameSync(temporary, path);
        });
      } catch (error) {
        discard();
        throw error;
      }
      temporaries.delete(name);
      syncFolder(folder);
    },
    discard,
  };
}

/** Writes a file whole or not at all, in one go. Whatever goes wrong, what stood at `path` before is untouched. */
export function writeAtomic(path: string, fill: (write: Write) => void, mode?: number): void {
  const file = createFile(path, mode);
  try {
    fill(file.write);
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** Removes temporary files that a killed process or a power cut left in the folder. To be called by the thread that writes there. */
export function removeLeftovers(folder: string): void {
  for (const name of guarded(folder, 'cannot be read', () => readdirSync(folder))) {
    const pid = /^\..*\.(\d+)-[0-9a-f]{8}\.tmp$/.exec(name)?.[1];
    // The WASI program has no process number: who writes to a run's folder writes alone.
    const isOld = name.endsWith('.wasi.tmp');
    if (!isOld && (pid === undefined || temporaries.has(name) || (Number(pid) !== process.pid && isAlive(Number(pid))))) continue;
    rmSync(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Makes the rename itself durable. Some file systems cannot sync a folder; the rename is then as durable as they make it. */
function syncFolder(folder: string): void {
  let fd: number;
  try {
    fd = openSync(folder, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(fd);
  } catch {
    // EINVAL or EPERM: not supported here, and nothing is left to do.
  } finally {
    closeSync(fd);
  }
}

/** Writes text whole or not at all. */
export function writeText(path: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  writeAtomic(path, (write) => write(bytes));
}

/** Adds text to the end of a log. Not synced: a power cut may cost its last lines. */
export function appendText(path: string, text: string): void {
  appendBytes(path, new TextEncoder().encode(text));
}

/** The same with bytes. */
export function appendBytes(path: string, bytes: Uint8Array): void {
  guarded(path, 'cannot be written', () => appendFileSync(path, bytes));
  written += bytes.length;
}

/** Makes the folder and those above it. One by one: Node's recursive mkdir never returns where a parent exists but holds no folders (/proc). */
export function makeFolder(path: string): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  const isThere = guarded(path, 'cannot be made', () => {
    try {
      mkdirSync(path);
      syncFolder(parent);
      return true;
    } catch (error) {
      // Another process may have made it meanwhile.
      if (isFolder(path)) return true;
      if (!['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code)) || parent === path || isFolder(parent))
        throw error;
      return false;
    }
  });
  if (isThere) return;
  // From the bottom up: Deno may be allowed this folder and none above it.
  makeFolder(parent);
  makeFolder(path);
}

/** The first of some places that there is a file at. One that Deno does not let us look at counts as empty. */
export function firstFile(places: readonly string[], from: string): URL | undefined {
  return places
    .map((place) => new URL(place, from))
    .find((url) => {
      try {
        return existsSync(url);
      } catch {
        return false;
      }
    });
}

export function fileExists(path: string): boolean {
  return existsSync(path);
}

export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Reads a JSON object from a file of at most `limit` bytes. */
export function readJson(path: string, limit = 16 << 20): Record<string, unknown> {
  const bytes = readLimited(path, limit, 'a JSON file');
  refusePretender(path, bytes, bytes.length, false);
  return parseJson(path, bytes);
}
