/**
 * A small WASI preview1 host: runs a command compiled to WebAssembly with the folders it was given, and nothing else (sandbox.ts).
 * Node's own stays experimental and crashes on versions that this project supports; this one runs in Node and Deno alike.
 */
import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { InputError } from '../../src/base/error.ts';
import { isFolder } from '../../src/base/files.ts';
import { ERRNO, fault, type Place, resolve } from './sandbox.ts';

export interface WasiOptions {
  /** Arguments, the program's name first. */
  args: readonly string[];
  /** Folders by the name that the program knows them by. */
  preopens: Readonly<Record<string, string>>;
  /** Whether the program may create, write, rename and remove files there. */
  writable?: boolean;
  /** What the program reads on standard input; nothing where absent. */
  stdin?: Uint8Array;
  stdout?: (bytes: Uint8Array) => void;
  stderr?: (bytes: Uint8Array) => void;
}

const RIGHT = { read: 1n << 1n, seek: 1n << 2n, sync: 1n << 4n, tell: 1n << 5n, write: 1n << 6n, filestat: 1n << 21n } as const;
const DIRECTORY_RIGHTS = {
  read: (1n << 13n) | (1n << 14n) | (1n << 18n),
  write: (1n << 4n) | (1n << 9n) | (1n << 10n) | (1n << 16n) | (1n << 17n) | (1n << 26n),
} as const;
const FILE_RIGHTS = RIGHT.read | RIGHT.seek | RIGHT.sync | RIGHT.tell | RIGHT.write | RIGHT.filestat;
const FILE_TYPE = { unknown: 0, character: 2, folder: 3, file: 4, link: 7 } as const;
const OPEN = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
/** What precedes a name in fd_readdir's buffer. */
const DIRENT_BYTES = 24;
const FD_APPEND = 1;
const FOLLOW = 1;
/** Thrown through the program's frames by proc_exit. */
class Exit extends Error {
  status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

type Descriptor =
  | { kind: 'sink'; write: (bytes: Uint8Array) => void }
  | { kind: 'source'; bytes: Uint8Array; position: number }
  | { kind: 'folder'; path: string; preopen?: Uint8Array }
  | { kind: 'file'; fd: number; rights: bigint; append: boolean; position: number };

type Word = number & bigint;

/** Runs the program's `_start` and returns its exit code; a trap is thrown on. */
export function runWasi(wasm: Uint8Array<ArrayBuffer> | WebAssembly.Module, options: WasiOptions): number {
  const module = wasm instanceof WebAssembly.Module ? wasm : new WebAssembly.Module(wasm);
  const wasi = createWasi(options);
  const imports: Record<string, Call> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from !== 'wasi_snapshot_preview1') throw new TypeError(`the program imports ${from}.${name}, which is not WASI preview1`);
    imports[name] = wasi.calls[name] ?? (() => ERRNO.ENOSYS);
  }
  try {
    const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
    wasi.memory = exports.memory as WebAssembly.Memory;
    (exports._start as () => void)();
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.status;
    throw error;
  } finally {
    wasi.close();
  }
}

export type Call = (...args: (number | bigint)[]) => number;
export interface Wasi {
  /** The functions of preview1 by name; each returns an errno. */
  calls: Readonly<Record<string, Call>>;
  /** The program's. */
  memory: WebAssembly.Memory;
  /** Closes what the program left open. */
  close(): void;
}

/** The functions of preview1 over one program's memory, which is set before the first call. */
export function createWasi(options: WasiOptions): Wasi {
  const { writable = false } = options;
  const text = new TextEncoder();
  const args = options.args.map((arg) => text.encode(`${arg}\0`));
  const open = new Map<number, Descriptor>([
    [0, { kind: 'source', bytes: options.stdin ?? new Uint8Array(), position: 0 }],
    [1, { kind: 'sink', write: options.stdout ?? ((bytes) => void process.stdout.write(bytes)) }],
    [2, { kind: 'sink', write: options.stderr ?? ((bytes) => void process.stderr.write(bytes)) }],
  ]);
  for (const [name, folder] of Object.entries(options.preopens)) {
    if (!isFolder(folder)) throw new InputError({ where: folder, what: 'cannot be opened to the program: no such folder' });
    open.set(open.size, { kind: 'folder', path: realpathSync(folder), preopen: text.encode(name) });
  }

  const wasi: Wasi = { calls: {}, memory: undefined as unknown as WebAssembly.Memory, close };
  const data = (): DataView => new DataView(wasi.memory.buffer);
  const bytesAt = (p: number, n: number): Uint8Array => new Uint8Array(wasi.memory.buffer, p, n);
  const setWord = (p: number, value: number): void => data().setUint32(p, value, true);
  const setLong = (p: number, value: number | bigint): void => data().setBigUint64(p, BigInt(value), true);
  /** The parts of memory that a list of (address, bytes) names. */
  const vectors = (p: number, n: number): Uint8Array[] =>
    Array.from({ length: n }, (_, i) => bytesAt(data().getUint32(p + 8 * i, true), data().getUint32(p + 8 * i + 4, true)));

  const descriptor = (fd: number): Descriptor => open.get(fd) ?? fault('EBADF');
  const fileAt = (fd: number, right: bigint): Extract<Descriptor, { kind: 'file' }> => {
    const found = descriptor(fd);
    if (found.kind === 'folder') return fault('EISDIR');
    if (found.kind !== 'file') return fault((right & (RIGHT.seek | RIGHT.tell)) !== 0n ? 'ESPIPE' : 'EBADF');
    return (found.rights & right) === right ? found : fault('ENOTCAPABLE');
  };
  const find = (fd: number, p: number, n: number, follow: boolean): Place => {
    const folder = descriptor(fd);
    return folder.kind === 'folder' ? resolve(folder.path, decode(bytesAt(p, n)), follow) : fault('ENOTDIR');
  };
  const mayWrite = (): void => void (writable || fault('EROFS'));
  const setStat = (p: number, stat: Pick<Stats, 'size' | 'mtimeMs'> | undefined, type: number): void => {
    bytesAt(p, 64).fill(0);
    data().setUint8(p + 16, type);
    setLong(p + 24, 1);
    if (!stat) return;
    setLong(p + 32, stat.size);
    for (const at of [40, 48, 56]) setLong(p + at, BigInt(Math.max(0, Math.floor(stat.mtimeMs))) * 1_000_000n);
  };
  const strings = (list: readonly Uint8Array[], pointers: number, buffer: number): void => {
    for (const [i, string] of list.entries()) {
      setWord(pointers + 4 * i, buffer);
      bytesAt(buffer, string.length).set(string);
      buffer += string.length;
    }
  };
  /** Reads or writes at `position` until a transfer comes out short; returns the bytes moved. */
  const transfer = (parts: Uint8Array[], position: number, move: (part: Uint8Array, at: number) => number): number => {
    let moved = 0;
    for (const part of parts) {
      const n = part.length === 0 ? 0 : move(part, position + moved);
      moved += n;
      if (n < part.length) break;
    }
    return moved;
  };

  const functions: Record<string, (...args: Word[]) => void> = {
    args_sizes_get(count, bytes) {
      setWord(count, args.length);
      setWord(
        bytes,
        args.reduce((n, arg) => n + arg.length, 0),
      );
    },
    args_get: (pointers, buffer) => strings(args, pointers, buffer),
    environ_sizes_get(count, bytes) {
      setWord(count, 0);
      setWord(bytes, 0);
    },
    environ_get: () => {},
    clock_time_get(clock, _precision, time) {
      if (clock > 1) fault('EINVAL');
      setLong(time, clock === 0 ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint());
    },
    random_get: (p, n) => void randomFillSync(bytesAt(p, n)),
    proc_exit(status) {
      throw new Exit(status);
    },
    fd_prestat_get(fd, p) {
      const found = descriptor(fd);
      if (found.kind !== 'folder' || !found.preopen) return fault('EBADF');
      setWord(p, 0);
      setWord(p + 4, found.preopen.length);
    },
    fd_prestat_dir_name(fd, p, n) {
      const found = descriptor(fd);
      if (found.kind !== 'folder' || !found.preopen) return fault('EBADF');
      if (n < found.preopen.length) fault('ENAMETOOLONG');
      bytesAt(p, found.preopen.length).set(found.preopen);
    },
    fd_fdstat_get(fd, p) {
      const found = descriptor(fd);
      bytesAt(p, 24).fill(0);
      data().setUint8(p, typeOf(found));
      data().setUint16(p + 2, found.kind === 'file' && found.append ? FD_APPEND : 0, true);
      const own = { sink: RIGHT.write, source: RIGHT.read, folder: folderRights(writable), file: 0n }[found.kind];
      setLong(p + 8, found.kind === 'file' ? found.rights : own);
      if (found.kind === 'folder') setLong(p + 16, folderRights(writable) | (writable ? FILE_RIGHTS : FILE_RIGHTS & ~RIGHT.write));
    },
    fd_filestat_get(fd, p) {
      const found = descriptor(fd);
      const stat = found.kind === 'file' ? fstatSync(found.fd) : found.kind === 'folder' ? lstatSync(found.path) : undefined;
      setStat(p, stat, typeOf(found));
    },
    fd_read(fd, list, count, moved) {
      const found = descriptor(fd);
      if (found.kind === 'source') {
        let n = 0;
        for (const part of vectors(list, count)) {
          const piece = found.bytes.subarray(found.position, found.position + part.length);
          part.set(piece);
          found.position += piece.length;
          n += piece.length;
        }
        return setWord(moved, n);
      }
      const file = fileAt(fd, RIGHT.read);
      const bytes = transfer(vectors(list, count), file.position, (part, at) => readSync(file.fd, part, 0, part.length, at));
      file.position += bytes;
      setWord(moved, bytes);
    },
    fd_pread(fd, list, n, offset, moved) {
      const file = fileAt(fd, RIGHT.read | RIGHT.seek);
      const move = (part: Uint8Array, at: number): number => readSync(file.fd, part, 0, part.length, at);
      setWord(moved, transfer(vectors(list, n), position(offset), move));
    },
    fd_write(fd, list, n, moved) {
      const found = descriptor(fd);
      const parts = vectors(list, n);
      if (found.kind === 'sink') {
        const bytes = Uint8Array.from(Buffer.concat(parts));
        found.write(bytes);
        return setWord(moved, bytes.length);
      }
      const file = fileAt(fd, RIGHT.write);
      if (file.append) file.position = fstatSync(file.fd).size;
      const bytes = transfer(parts, file.position, (part, at) => writeSync(file.fd, part, 0, part.length, at));
      file.position += bytes;
      setWord(moved, bytes);
    },
    fd_seek(fd, offset, whence, result) {
      const file = fileAt(fd, RIGHT.seek);
      if (whence > 2) fault('EINVAL');
      const from = [0, file.position, whence === 2 ? fstatSync(file.fd).size : 0][whence]!;
      file.position = position(BigInt(from) + offset);
      setLong(result, file.position);
    },
    fd_tell: (fd, result) => setLong(result, fileAt(fd, RIGHT.tell).position),
    fd_sync(fd) {
      const found = descriptor(fd);
      if (found.kind !== 'folder') return fsyncSync(fileAt(fd, RIGHT.sync).fd);
      mayWrite();
      const folder = openSync(found.path, 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    },
    fd_readdir(fd, buffer, size, cookie, used) {
      const found = descriptor(fd);
      if (found.kind !== 'folder') return fault('ENOTDIR');
      // A cookie is an index into the names in order: a name that comes or goes while the folder is read may be missed, or seen twice.
      const names = readdirSync(found.path).sort();
      let filled = 0;
      for (let i = position(cookie); i < names.length && filled < size; i++) {
        const name = text.encode(names[i]!);
        const entry = new Uint8Array(DIRENT_BYTES + name.length);
        const view = new DataView(entry.buffer);
        view.setBigUint64(0, BigInt(i + 1), true);
        view.setUint32(16, name.length, true);
        const stat = lstatSync(join(found.path, names[i]!), { throwIfNoEntry: false });
        view.setUint8(20, stat ? FILE_TYPE[kindOf(stat)] : FILE_TYPE.unknown);
        entry.set(name, DIRENT_BYTES);
        const piece = entry.subarray(0, size - filled);
        bytesAt(buffer + filled, piece.length).set(piece);
        filled += piece.length;
      }
      setWord(used, filled);
    },
    path_create_directory(fd, p, n) {
      mayWrite();
      const { path, stat } = find(fd, p, n, false);
      if (stat) fault('EEXIST');
      mkdirSync(path);
    },
    fd_close(fd) {
      const found = descriptor(fd);
      open.delete(fd);
      if (found.kind === 'file') closeSync(found.fd);
    },
    path_filestat_get(fd, flags, p, n, result) {
      const { stat } = find(fd, p, n, (flags & FOLLOW) !== 0);
      if (!stat) return fault('ENOENT');
      setStat(result, stat, FILE_TYPE[kindOf(stat)]);
    },
    path_open(fd, lookup, p, n, flags, rights, _inheriting, fdflags, result) {
      const { path, stat } = find(fd, p, n, (lookup & FOLLOW) !== 0);
      const [reads, writes] = [(rights & RIGHT.read) !== 0n, (rights & RIGHT.write) !== 0n];
      if (writes || (flags & (OPEN.create | OPEN.truncate)) !== 0) mayWrite();
      if (!stat && (flags & OPEN.create) === 0) fault('ENOENT');
      if (stat && (flags & OPEN.create) !== 0 && (flags & OPEN.exclusive) !== 0) fault('EEXIST');
      if (stat?.isSymbolicLink()) fault('ELOOP');
      let fresh = 3;
      while (open.has(fresh)) fresh++;
      if (stat?.isDirectory()) {
        if (writes || (flags & OPEN.truncate) !== 0) fault('EISDIR');
        open.set(fresh, { kind: 'folder', path });
      } else {
        if ((flags & OPEN.directory) !== 0) fault('ENOTDIR');
        // A pipe could block for ever, a device does what it likes.
        if (stat && !stat.isFile()) fault('EACCES');
        const how =
          (writes || !stat || (flags & OPEN.truncate) !== 0 ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY) |
          ((flags & OPEN.create) !== 0 ? constants.O_CREAT : 0) |
          // What was not there a moment ago is made here, not found: nothing can be put in between.
          (stat ? 0 : constants.O_EXCL) |
          ((flags & OPEN.truncate) !== 0 ? constants.O_TRUNC : 0);
        const append = (fdflags & FD_APPEND) !== 0;
        open.set(fresh, { kind: 'file', fd: openSync(path, how), rights: rights & FILE_RIGHTS, append, position: 0 });
      }
      setWord(result, fresh);
    },
    path_rename(from, p, n, to, q, m) {
      mayWrite();
      const [source, target] = [find(from, p, n, false), find(to, q, m, false)];
      if (!source.stat) fault('ENOENT');
      if (source.isRoot || target.isRoot) fault('EBUSY');
      renameSync(source.path, target.path);
    },
    path_unlink_file(fd, p, n) {
      mayWrite();
      const { path, stat } = find(fd, p, n, false);
      if (stat?.isDirectory()) fault('EISDIR');
      unlinkSync(path);
    },
  };

  function close(): void {
    for (const found of open.values()) if (found.kind === 'file') closeSync(found.fd);
    open.clear();
  }
  const guarded = (action: (...args: Word[]) => void): Call => {
    return (...args) => {
      try {
        // Addresses arrive as signed numbers.
        action(...(args.map((arg) => (typeof arg === 'number' ? arg >>> 0 : arg)) as Word[]));
        return 0;
      } catch (error) {
        return errnoOf(error);
      }
    };
  };
  wasi.calls = Object.fromEntries(Object.entries(functions).map(([name, action]) => [name, guarded(action)]));
  return wasi;
}

/** The number for an error on its way back into the program; what is no error of the system's goes on up. */
function errnoOf(error: unknown): number {
  // An address or a length outside the program's memory.
  if (error instanceof RangeError) return ERRNO.EFAULT;
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof Exit || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return ERRNO[code as keyof typeof ERRNO] ?? ERRNO.EIO;
}

function decode(bytes: Uint8Array): string {
  let path: string;
  try {
    // A copy: a decoder may refuse memory that can grow.
    path = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.slice());
  } catch {
    return fault('EINVAL');
  }
  if (path === '') fault('ENOENT');
  return path.includes('\0') ? fault('EINVAL') : path;
}

function position(offset: bigint): number {
  return offset >= 0n && offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : fault('EINVAL');
}

const kindOf = (stat: Stats): keyof typeof FILE_TYPE =>
  stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : stat.isFile() ? 'file' : 'unknown';
const typeOf = ({ kind }: Descriptor): number => FILE_TYPE[kind === 'folder' || kind === 'file' ? kind : 'character'];
const folderRights = (writable: boolean): bigint => DIRECTORY_RIGHTS.read | (writable ? DIRECTORY_RIGHTS.write : 0n);
