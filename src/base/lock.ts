/**
 * One run, one folder: a lock that dies with its holder. Node has no flock, so the lock says who holds it, in a way that nobody else can come
 * to be: the process number, the moment that process began (counted by the kernel from its start) and the name of that start. After a crash
 * nobody is that process, and after a reboot, whoever has its number now, neither.
 *
 *     lock-1   held by a process that is gone    ─►   lock-2   made by exactly one of those who saw that; then lock-1 is removed
 *
 * A lock is never taken over in place: who wants it makes the file with the next number, which one process alone can do.
 * Where there is no /proc (macOS, Windows, Deno without leave to read it) the moment is not known: then whoever has the number
 * holds the lock, unless the machine has been started since; where even that cannot be asked, nobody does. Another machine or container is not
 * seen. A holder looks again before each checkpoint, and stops where the folder has come to another.
 */
import { closeSync, existsSync, openSync, readdirSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { InputError } from './error.ts';
import { guarded, makeFolder } from './files.ts';
import { readLimitedText } from './reading.ts';

export interface Lock {
  /** Throws where the folder has come to another run. */
  check(): void;
  /** Lets go, and removes the folders that were made for the lock and are still empty. */
  release(): void;
}

/** Who holds a lock. */
interface Holder {
  pid: number;
  /** When the process began, in ticks since the machine's start; null where the system does not say. */
  began: string | null;
  /** The machine's start: the kernel's name for it, or else its moment in seconds. */
  boot: string | number | null;
  /** Tells two runs of one process apart. */
  run: number;
}

/** How long a lock that cannot be read may be in the making. */
const MAKING_MS = 200;
/** How far the clock may be set and the machine's start still be the same. */
const CLOCK_SECONDS = 120;

let runs = 0;

/** Takes the folder for a run, or throws at once where another one has it. */
export function holdFolder(folder: string): Lock {
  const made: string[] = [];
  for (let path = folder; !isThere(path) && dirname(path) !== path; path = dirname(path)) made.push(path);
  makeFolder(folder);
  const me: Holder = { pid: process.pid, began: beganOf(process.pid) ?? null, boot: bootOf(), run: ++runs };
  const text = JSON.stringify(me);
  let path: string;
  const removeMade = (): void => {
    for (const each of made) {
      try {
        rmdirSync(each);
      } catch {
        return;
      }
    }
  };
  try {
    path = take(folder, text);
  } catch (error) {
    removeMade();
    throw error;
  }
  const isMine = (): boolean => {
    try {
      return textAt(path) === text;
    } catch {
      return false;
    }
  };
  return {
    check() {
      // Someone may have removed the file, which harms nobody.
      if (!isMine()) path = take(folder, text);
    },
    release() {
      if (isMine()) rmSync(path, { force: true });
      removeMade();
    },
  };
}

function take(folder: string, text: string): string {
  const found = locksIn(folder);
  for (const { path } of found) refuseHeld(folder, path);
  const path = join(folder, `lock-${(found.at(-1)?.number ?? 0) + 1}`);
  try {
    const file = openSync(path, 'wx');
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw held(folder);
    rmSync(path, { force: true });
    throw guarded(path, 'cannot be written', () => {
      throw error;
    });
  }
  // One who let go meanwhile may have made room for a lower number.
  try {
    for (const other of locksIn(folder)) if (other.path !== path) refuseHeld(folder, other.path);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
  for (const other of found) rmSync(other.path, { force: true });
  return path;
}

/** Deno may not let us look above the folder: then nothing there is ours to remove. */
function isThere(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return true;
  }
}

/** The locks in a folder, by number. */
function locksIn(folder: string): { path: string; number: number }[] {
  return guarded(folder, 'cannot be read', () => readdirSync(folder))
    .flatMap((name) => /^lock-([1-9]\d{0,8})$/.exec(name)?.[1] ?? [])
    .map((number) => ({ path: join(folder, `lock-${number}`), number: Number(number) }))
    .sort((a, b) => a.number - b.number);
}

function refuseHeld(folder: string, path: string): void {
  const holder = readHolder(path);
  if (holder && isAlive(holder)) throw held(folder, holder.pid);
}

const HELD = 'another run is going on in this folder';
const held = (folder: string, pid?: number): InputError =>
  new InputError({
    where: folder,
    what: HELD,
    ...(pid === undefined ? {} : { got: `process ${pid}` }),
    hint: 'wait until it has ended, or choose another --out',
  });

/** Whether an error says that another run has the folder. */
export const isHeld = (error: unknown): boolean => error instanceof InputError && error.what === HELD;

/** What a lock says; undefined where it is gone, or was never written to its end: its maker was killed, or lost its power. */
function readHolder(path: string): Holder | undefined {
  const end = Date.now() + MAKING_MS;
  for (;;) {
    try {
      const { pid, began, boot, run } = JSON.parse(textAt(path)) as Holder;
      return Number.isInteger(pid) && pid > 0 ? { pid, began, boot, run } : undefined;
    } catch (error) {
      if (!(error instanceof SyntaxError) || Date.now() > end) return undefined;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function isAlive({ pid, began, boot }: Holder): boolean {
  const now = bootOf();
  const isSameBoot =
    typeof boot === 'number' && typeof now === 'number' ? Math.abs(boot - now) <= CLOCK_SECONDS : boot === null || boot === now;
  if (!isSameBoot) return false;
  const its = began === null ? undefined : beganOf(pid);
  if (its !== undefined) return its === began;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat; the second, a name in brackets, may hold anything. Not known where the process is gone or hidden. */
function beganOf(pid: number): string | undefined {
  const fields = textOf(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
  // One that has ended stays until its parent asks how.
  return fields && /^[ZX]/.test(fields[0]!) ? 'ended' : fields?.[19];
}

function bootOf(): string | number | null {
  const name = textOf('/proc/sys/kernel/random/boot_id')?.trim();
  if (name) return name;
  try {
    return Math.round(Date.now() / 1000 - uptime());
  } catch {
    return null;
  }
}

/** A lock's text, or that of one of the kernel's files: a line or two. */
const textAt = (path: string): string => readLimitedText(path, 1 << 16, 'a lock');

function textOf(path: string): string | undefined {
  try {
    return textAt(path);
  } catch {
    return undefined;
  }
}
