/**
 * The file in which frozen weights stay while a program runs, in the engine's own layout and precision:
 *
 *     0             64
 *     | "S2AWGHT"   | weights, each from a multiple of 16 on, in the order of their first use
 *
 * It is worth nothing without its program, which holds sums of what it put there (assembly/kernels/stored.ts): whatever else stands in the file when it is read
 * back is found out. An earlier file of the same run is not trusted either, but compared: what is as it should be is not written again.
 */
import { rmSync, statSync } from 'node:fs';
import { mebibytes } from '../base/bytes.ts';
import { InputError } from '../base/error.ts';
import { fileExists, freeBytes, openFile, openStore, type Store } from '../base/files.ts';
import { FILE_HEAD_BYTES } from '../passes/streaming.ts';
import type { Program } from '../program/program.ts';
import { storedBytes } from '../program/stored.ts';

const MAGIC = new TextEncoder().encode('S2AWGHT\0');
/** Its name in a run's folder. */
export const STORED_FILE = 'weights.s2aw';
/** Compared at a time. */
const PIECE_BYTES = 65536;

/** What was stored does not come back: the file or its medium was changed, cut or lost while a program ran. */
export class WeightsLost extends InputError {}

/** Runs `action`; what goes wrong in it is a loss of weights. */
function reading<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw lossOf(error);
  }
}
const lossOf = (error: unknown): unknown => (error instanceof InputError ? new WeightsLost(error.parts, error.code) : error);

/** An open file of weights. Places are bytes from the file's start. */
export interface StoredWeights {
  path: string;
  /** Puts bytes there, unless they are there already. */
  store(at: number, bytes: Uint8Array): void;
  /** Begins to read; `arrived` says when it is done. */
  fetch(at: number, target: Uint8Array): void;
  /** Reads, where nobody has begun to; undefined: it is done, else wait. `mayWait` false: it is done whatever it takes. */
  arrive(at: number, target: Uint8Array, mayWait: boolean): Promise<void> | undefined;
  /** Waits for all that has begun: until then the memory is not the caller's. */
  settle(): Promise<void>;
  /** Closes the file, and removes it where it is not to be kept. */
  close(keep: boolean): void;
}

/** InputError where the disk has no room for the file, which replaces one of `there` bytes. */
function needRoom(path: string, bytes: number, there: number): void {
  const free = freeBytes(path);
  if (free === undefined || free + there >= bytes) return;
  throw new InputError(
    { where: path, what: 'too little space for the weights', got: `${mebibytes(free)} free`, expected: mebibytes(bytes) },
    'S2A_DISK',
  );
}

/** Opens the file, or makes it. Throws InputError where something else has its name, and for what the system refuses. */
export function openStored(path: string, bytes: number): StoredWeights {
  const isThere = fileExists(path);
  const isOld = isThere && isOurs(path, bytes);
  if (!isOld) needRoom(path, bytes, isThere ? statSync(path).size : 0);
  const file = isOld ? openStore(path) : openStore(path, bytes);
  const write = (at: number, data: Uint8Array): void => {
    try {
      file.writeAt(at, data);
    } catch (error) {
      // Half a file is of no use to anybody.
      if (!isOld) rmSync(path, { force: true });
      throw error;
    }
  };
  if (!isOld) write(0, MAGIC);
  const pending = new Map<number, Promise<void>>();
  return {
    path,
    store(at, data) {
      if (!isOld || !holds(file, at, data)) write(at, data);
    },
    fetch(at, target) {
      const read = file.startReading(at, target);
      // Whoever waits for it learns of it; nobody may.
      read.catch(() => {});
      pending.set(at, read);
    },
    arrive(at, target, mayWait) {
      const read = pending.get(at);
      if (read === undefined || !mayWait) {
        reading(() => file.readAt(at, target));
        return undefined;
      }
      pending.delete(at);
      return read.catch((error) => Promise.reject(lossOf(error)));
    },
    async settle() {
      await Promise.allSettled(pending.values());
      pending.clear();
    },
    close(keep) {
      file.close();
      if (!keep) rmSync(path, { force: true });
    },
  };
}

/** A program's file, where it has one. `path`: see checkStored. */
export function openStoredFor(program: Program, path: string | undefined): StoredWeights | undefined {
  const bytes = storedBytes(program);
  return bytes === 0 || path === undefined ? undefined : openStored(path, bytes);
}

/** InputError where weights are to be streamed and no file is named for them, or one is named for nothing. */
export function checkStored(streams: boolean, path: string | undefined): void {
  if (streams === (path !== undefined)) return;
  throw new InputError(
    {
      where: '--stored',
      what: streams ? 'is missing: streamed weights need a file' : 'is of use only where weights are streamed',
      hint: '--weights int8,stream --stored weights.s2aw',
    },
    'S2A_OPTION',
  );
}

/** Whether a file of that name can be gone on with; one that is too long or too short is made anew. */
function isOurs(path: string, bytes: number): boolean {
  const file = openFile(path);
  try {
    if (file.size === 0) return false;
    const head = new Uint8Array(Math.min(file.size, MAGIC.length));
    file.readAt(0, head);
    if (head.length < MAGIC.length || head.some((byte, i) => byte !== MAGIC[i]))
      throw new InputError(
        { where: path, what: 'is no file of stored weights', hint: 'remove it, or give the weights another place' },
        'S2A_FILE',
      );
    return file.size === bytes && bytes >= FILE_HEAD_BYTES;
  } finally {
    file.close();
  }
}

function holds(file: Store, at: number, bytes: Uint8Array): boolean {
  const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes.length));
  for (let done = 0; done < bytes.length; done += piece.length) {
    const there = piece.subarray(0, Math.min(piece.length, bytes.length - done));
    file.readAt(at + done, there);
    if (Buffer.compare(there, bytes.subarray(done, done + there.length)) !== 0) return false;
  }
  return true;
}
