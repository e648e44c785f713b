/**
 * A disk that can lose its power. `record` runs an action on real files and notes every write, sync, rename and removal below a folder;
 * `afterCuts` then makes every state that the folder could be found in had the power gone at any moment between:
 *
 * - of a file's bytes, those before its last sync are there; of those after it any first part is, torn in the middle too, or zeros of that length;
 * - of a folder's changes (new names, renames, removals), those before the folder's last sync are there; of those after it any first part is.
 *
 * The two are independent: a rename may be there without the bytes of what it renamed.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

type Change = { kind: 'create' | 'remove'; name: string; inode: number } | { kind: 'rename'; name: string; to: string; inode: number };
export type Event =
  | Change
  | { kind: 'write'; inode: number; at: number; bytes: Uint8Array }
  | { kind: 'sync'; inode: number }
  | { kind: 'syncFolder'; name: string };

/** Stands for a folder where an inode is asked for. */
const FOLDER = -1;

type Fs = typeof import('node:fs');
const fs = createRequire(import.meta.url)('node:fs') as Fs;

/** What is on the disk: contents by name, relative to its folder. */
export type Disk = ReadonlyMap<string, Uint8Array>;

export interface Recording {
  before: Disk;
  events: Event[];
}

/** Runs `action`, which changes files below `folder` through node:fs, and tells what it did, in order; nothing of files named like `without`. */
export function record(folder: string, action: () => void, without = /^$/): Recording {
  const root = resolve(folder);
  const before = new Map([...read(root)].filter(([name]) => !without.test(name)));
  const names = new Map<string, number>([...before.keys()].map((name, i) => [name, i]));
  let nextInode = names.size;
  const open = new Map<number, { inode: number } | { folder: string }>();
  const events: Event[] = [];
  const nameOf = (path: unknown): string | undefined => {
    const name = relative(root, resolve(String(path)));
    return name.startsWith('..') || (name !== '' && without.test(name)) ? undefined : name;
  };
  const inodeOf = (name: string): number => {
    const known = names.get(name);
    if (known !== undefined) return known;
    names.set(name, nextInode);
    events.push({ kind: 'create', name, inode: nextInode });
    return nextInode++;
  };
  const real = { ...fs };
  const patched: Partial<Record<keyof Fs, unknown>> = {
    openSync(path: string, ...how: [string | number]) {
      const fd = real.openSync(path, ...how);
      const name = nameOf(path);
      if (name === undefined) return fd;
      open.set(fd, real.fstatSync(fd).isDirectory() ? { folder: name } : { inode: inodeOf(name) });
      return fd;
    },
    writeSync(fd: number, bytes: Uint8Array, offset: number, length: number, at: number) {
      const n = real.writeSync(fd, bytes, offset, length, at);
      const file = open.get(fd);
      if (file && 'inode' in file) {
        if (!Number.isInteger(at)) throw new Error('a write without its place');
        events.push({ kind: 'write', inode: file.inode, at, bytes: bytes.slice(offset, offset + n) });
      }
      return n;
    },
    fsyncSync(fd: number) {
      real.fsyncSync(fd);
      const file = open.get(fd);
      if (file) events.push('inode' in file ? { kind: 'sync', inode: file.inode } : { kind: 'syncFolder', name: file.folder });
    },
    closeSync(fd: number) {
      real.closeSync(fd);
      open.delete(fd);
    },
    renameSync(from: string, to: string) {
      real.renameSync(from, to);
      const [a, b] = [nameOf(from)!, nameOf(to)!];
      const inode = names.get(a)!;
      names.delete(a);
      names.set(b, inode);
      events.push({ kind: 'rename', name: a, to: b, inode });
    },
  };
  const removed =
    (remove: (path: string, ...rest: never[]) => void) =>
    (path: string, ...rest: never[]) => {
      const name = nameOf(path);
      const inode = name === undefined ? undefined : names.get(name);
      remove(path, ...rest);
      if (name === undefined || inode === undefined) return;
      names.delete(name);
      events.push({ kind: 'remove', name, inode });
    };
  patched.mkdirSync = (path: string) => {
    real.mkdirSync(path);
    const name = nameOf(path);
    if (name !== undefined) events.push({ kind: 'create', name, inode: FOLDER });
  };
  patched.rmSync = removed(real.rmSync as never);
  patched.unlinkSync = removed(real.unlinkSync as never);
  for (const name of ['writeFileSync', 'appendFileSync', 'truncateSync', 'ftruncateSync', 'copyFileSync'] as const)
    patched[name] = (path: unknown, ...rest: unknown[]) => {
      if (typeof path === 'number' || nameOf(path) !== undefined) throw new Error(`${name} is not recorded`);
      return (real[name] as (...args: unknown[]) => unknown)(path, ...rest);
    };
  Object.assign(fs, patched);
  syncBuiltinESMExports();
  try {
    action();
  } finally {
    for (const name of Object.keys(patched) as (keyof Fs)[]) Object.assign(fs, { [name]: real[name] });
    syncBuiltinESMExports();
  }
  return { before, events };
}

function read(root: string): Disk {
  const names = readdirSync(root, { recursive: true }).map(String);
  return new Map(names.filter((name) => statSync(join(root, name)).isFile()).map((name) => [name, readFileSync(join(root, name))]));
}

/** Every state of the disk after a power cut, each once. */
export function* afterCuts({ before, events }: Recording): Generator<Disk> {
  const seen = new Set<string>();
  for (let cut = 0; cut <= events.length; cut++)
    for (const disk of statesAt(before, events.slice(0, cut))) {
      const hash = createHash('sha256');
      for (const [name, bytes] of [...disk].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
      const key = hash.digest('hex');
      if (seen.has(key)) continue;
      seen.add(key);
      yield disk;
    }
}

/** The state after the last event where everything unsynced is lost: what a caller may rely on. */
export function afterLoss({ before, events }: Recording): Disk {
  return statesAt(before, events).next().value as Disk;
}

/** The states when the power goes after these events; the first has lost most. */
function* statesAt(before: Disk, events: readonly Event[]): Generator<Disk> {
  const folders = new Map<string, { changes: Change[]; safe: number }>();
  const files = new Map<number, { writes: { at: number; bytes: Uint8Array }[]; safe: number }>();
  const of = <K, V>(map: Map<K, V>, key: K, fresh: () => V): V => {
    const found = map.get(key) ?? fresh();
    map.set(key, found);
    return found;
  };
  const folderOf = (name: string) => of(folders, dirname(name), () => ({ changes: [], safe: 0 }));
  const fileOf = (inode: number) => of(files, inode, () => ({ writes: [], safe: 0 }));
  for (const event of events) {
    if (event.kind === 'write') fileOf(event.inode).writes.push(event);
    else if (event.kind === 'sync') fileOf(event.inode).safe = fileOf(event.inode).writes.length;
    else if (event.kind === 'syncFolder') {
      const folder = of(folders, event.name || '.', () => ({ changes: [], safe: 0 }));
      folder.safe = folder.changes.length;
    } else folderOf(event.name).changes.push(event);
  }
  const made = new Set(events.flatMap((event) => (event.kind === 'create' && event.inode === FOLDER ? [event.name] : [])));
  const oldContents = [...before.values()];
  const nameChoices = [...folders.values()].map(({ changes, safe }) =>
    Array.from({ length: changes.length - safe + 1 }, (_, i) => changes.slice(0, safe + i)),
  );
  const inodes = [...files.keys()];
  const byteChoices = inodes.map((inode) => [...contents(oldContents[inode], files.get(inode)!)]);
  for (const changes of product(nameChoices)) {
    const names = new Map<string, number>([...before.keys()].map((name, i) => [name, i]));
    for (const change of changes.flat()) {
      if (change.kind === 'create') names.set(change.name, change.inode);
      else names.delete(change.name);
      if (change.kind === 'rename') names.set(change.to, change.inode);
    }
    for (const choice of product(byteChoices)) {
      const bytesOf = (inode: number): Uint8Array => choice[inodes.indexOf(inode)] ?? oldContents[inode] ?? new Uint8Array(0);
      const isThere = (name: string): boolean => name === '.' || ((names.has(name) || !made.has(name)) && isThere(dirname(name)));
      const there = [...names].filter(([name, inode]) => inode !== FOLDER && isThere(dirname(name)));
      yield new Map(there.map(([name, inode]) => [name, bytesOf(inode)]));
    }
  }
}

/** What a file may hold: its safe writes and any first part of the rest. */
function* contents(old: Uint8Array | undefined, { writes, safe }: { writes: { at: number; bytes: Uint8Array }[]; safe: number }) {
  const apply = (list: { at: number; bytes: Uint8Array }[]): Uint8Array => {
    const end = Math.max(old?.length ?? 0, ...list.map(({ at, bytes }) => at + bytes.length));
    const file = new Uint8Array(end);
    if (old) file.set(old);
    for (const { at, bytes } of list) file.set(bytes, at);
    return file;
  };
  for (let kept = safe; kept <= writes.length; kept++) {
    const there = writes.slice(0, kept);
    yield apply(there);
    const torn = writes[kept];
    if (!torn) continue;
    yield apply([...there, { at: torn.at, bytes: torn.bytes.subarray(0, torn.bytes.length >> 1) }]);
    // The length arrived, the bytes did not.
    yield apply([...there, ...writes.slice(kept).map(({ at, bytes }) => ({ at, bytes: new Uint8Array(bytes.length) }))]);
  }
}

function* product<T>(choices: readonly T[][]): Generator<T[]> {
  const [first, ...rest] = choices;
  if (!first) return yield [];
  for (const one of first) for (const others of product(rest)) yield [one, ...others];
}

/** Puts a state on a real disk, for the program to open. */
export function restore(disk: Disk, folder: string): void {
  if (existsSync(folder)) rmSync(folder, { recursive: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of disk) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}
