/** What the program is run in: its memory, its open files and folders, and how functions of preview1 read and write both. */
import { realpathSync, type Stats } from 'node:fs';
import process from 'node:process';
import { InputError } from '../../../src/base/error.ts';
import { isFolder } from '../../../src/base/files.ts';
import { fault, type Place, resolve } from '../sandbox.ts';

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

export const RIGHT = { read: 1n << 1n, seek: 1n << 2n, sync: 1n << 4n, tell: 1n << 5n, write: 1n << 6n, filestat: 1n << 21n } as const;
const DIRECTORY_RIGHTS = {
  read: (1n << 13n) | (1n << 14n) | (1n << 18n),
  write: (1n << 4n) | (1n << 9n) | (1n << 10n) | (1n << 16n) | (1n << 17n) | (1n << 26n),
} as const;
export const FILE_RIGHTS = RIGHT.read | RIGHT.seek | RIGHT.sync | RIGHT.tell | RIGHT.write | RIGHT.filestat;
export const FILE_TYPE = { unknown: 0, character: 2, folder: 3, file: 4, link: 7 } as const;
export const OPEN = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
export const FD_APPEND = 1;
export const FOLLOW = 1;
export type Descriptor =
  | { kind: 'sink'; write: (bytes: Uint8Array) => void }
  | { kind: 'source'; bytes: Uint8Array; position: number }
  | { kind: 'folder'; path: string; preopen?: Uint8Array }
  | { kind: 'file'; fd: number; rights: bigint; append: boolean; position: number };

export type Word = number & bigint;

/** Functions of preview1 by name: they return nothing, and throw what has an errno. */
export type Functions = Record<string, (...args: Word[]) => void>;

export type World = ReturnType<typeof createWorld>;

export function createWorld(options: WasiOptions) {
  const open = openAtStart(options);
  const { writable = false } = options;
  let memory: WebAssembly.Memory;
  const data = (): DataView => new DataView(memory.buffer);
  const bytesAt = (p: number, n: number): Uint8Array => new Uint8Array(memory.buffer, p, n);
  const descriptor = (fd: number): Descriptor => open.get(fd) ?? fault('EBADF');
  return {
    open,
    writable,
    args: options.args.map(zeroEnded),
    data,
    bytesAt,
    descriptor,
    memory: (): WebAssembly.Memory => memory,
    setMemory(its: WebAssembly.Memory): void {
      memory = its;
    },
    setWord: (p: number, value: number): void => data().setUint32(p, value, true),
    setLong: (p: number, value: number | bigint): void => data().setBigUint64(p, BigInt(value), true),
    /** The parts of memory that a list of (address, bytes) names. */
    vectors: (p: number, n: number): Uint8Array[] =>
      Array.from({ length: n }, (_, i) => bytesAt(data().getUint32(p + 8 * i, true), data().getUint32(p + 8 * i + 4, true))),
    fileAt(fd: number, right: bigint): Extract<Descriptor, { kind: 'file' }> {
      const found = descriptor(fd);
      if (found.kind === 'folder') return fault('EISDIR');
      if (found.kind !== 'file') return fault((right & (RIGHT.seek | RIGHT.tell)) !== 0n ? 'ESPIPE' : 'EBADF');
      return (found.rights & right) === right ? found : fault('ENOTCAPABLE');
    },
    find(fd: number, p: number, n: number, follow: boolean): Place {
      const folder = descriptor(fd);
      return folder.kind === 'folder' ? resolve(folder.path, decode(bytesAt(p, n)), follow) : fault('ENOTDIR');
    },
    mayWrite: (): void => void (writable || fault('EROFS')),
    setStat(p: number, stat: Pick<Stats, 'size' | 'mtimeMs'> | undefined, type: number): void {
      const view = data();
      bytesAt(p, 64).fill(0);
      view.setUint8(p + 16, type);
      view.setBigUint64(p + 24, 1n, true);
      if (!stat) return;
      view.setBigUint64(p + 32, BigInt(stat.size), true);
      for (const at of [40, 48, 56]) view.setBigUint64(p + at, BigInt(Math.max(0, Math.floor(stat.mtimeMs))) * 1_000_000n, true);
    },
  };
}

const text = new TextEncoder();
const zeroEnded = (arg: string): Uint8Array => text.encode(`${arg}\0`);

/** Standard input, output and errors, and the folders that were given. */
function openAtStart({ stdin, stdout, stderr, preopens }: WasiOptions): Map<number, Descriptor> {
  const open = new Map<number, Descriptor>([
    [0, { kind: 'source', bytes: stdin ?? new Uint8Array(), position: 0 }],
    [1, { kind: 'sink', write: stdout ?? ((bytes) => void process.stdout.write(bytes)) }],
    [2, { kind: 'sink', write: stderr ?? ((bytes) => void process.stderr.write(bytes)) }],
  ]);
  for (const [name, folder] of Object.entries(preopens)) {
    if (!isFolder(folder)) throw new InputError({ where: folder, what: 'cannot be opened to the program: no such folder' });
    open.set(open.size, { kind: 'folder', path: realpathSync(folder), preopen: text.encode(name) });
  }
  return open;
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

/** An offset that JavaScript can count to. */
export function position(offset: bigint): number {
  return offset >= 0n && offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : fault('EINVAL');
}

export const kindOf = (stat: Stats): keyof typeof FILE_TYPE =>
  stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : stat.isFile() ? 'file' : 'unknown';
export const typeOf = ({ kind }: Descriptor): number => FILE_TYPE[kind === 'folder' || kind === 'file' ? kind : 'character'];
export const folderRights = (writable: boolean): bigint => DIRECTORY_RIGHTS.read | (writable ? DIRECTORY_RIGHTS.write : 0n);
