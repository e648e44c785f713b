/** Files as torch.save writes them, and ones that it never would. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { dtypeBytes, elements } from '../../src/base/tensor.ts';
import type { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { STORAGES } from '../../src/formats/torch/values.ts';

const bytes = (...pieces: (string | number[] | Uint8Array)[]): Uint8Array =>
  Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : Buffer.from(piece))));
const int32 = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
const int16 = (n: number): number[] => int32(n).slice(0, 2);

/** Instructions of a pickle. */
export const p = {
  text: (text: string): Uint8Array => bytes('X', int32(Buffer.byteLength(text)), Buffer.from(text)),
  int: (n: number): Uint8Array => (n >= 0 && n < 256 ? bytes('K', [n]) : bytes('J', int32(n))),
  name: (module: string, name: string): Uint8Array => bytes(`c${module}\n${name}\n`),
  tuple: (...items: Uint8Array[]): Uint8Array => bytes('(', ...items, 't'),
  call: (callee: Uint8Array, ...values: Uint8Array[]): Uint8Array => bytes(callee, p.tuple(...values), 'R'),
  dict: (...pairs: [Uint8Array, Uint8Array][]): Uint8Array => bytes('}(', ...pairs.flat(), 'u'),
  ordered: (...pairs: [Uint8Array, Uint8Array][]): Uint8Array =>
    bytes(p.call(p.name('collections', 'OrderedDict')), '(', ...pairs.flat(), 'u'),
  storage: (type: string, key: string, count: number): Uint8Array =>
    bytes(p.tuple(p.text('storage'), p.name('torch', type), p.text(key), p.text('cpu'), p.int(count)), 'Q'),
  tensor: (storage: Uint8Array, shape: readonly number[], strides: readonly number[], from = 0): Uint8Array =>
    p.call(
      p.name('torch._utils', '_rebuild_tensor_v2'),
      ...[
        storage,
        p.int(from),
        p.tuple(...shape.map(p.int)),
        p.tuple(...strides.map(p.int)),
        bytes('\x89'),
        p.call(p.name('collections', 'OrderedDict')),
      ],
    ),
  whole: (...pieces: (Uint8Array | string)[]): Uint8Array => bytes('\x80\x02', ...pieces, '.'),
};

/** An entry of an archive, with what is to be wrong about it. */
export interface Entry {
  name: string;
  data: Uint8Array;
  /** In its own header. */
  ownName?: string;
  method?: number;
  flags?: number;
  /** What the list of entries says of it. */
  size?: number;
  packed?: number;
  offset?: number;
  /** Numbers of 64 bits, as of entries above 4 GiB. */
  isLong?: boolean;
}

const long = (n: number): Uint8Array => {
  const piece = Buffer.alloc(8);
  piece.writeBigUInt64LE(BigInt(n));
  return piece;
};

/** A zip archive; `end` changes what its end says. */
export function zip(
  entries: readonly Entry[],
  end: { count?: number; offset?: number; bytes?: number; isLong?: boolean } = {},
): Uint8Array {
  const pieces: Uint8Array[] = [];
  const list: Uint8Array[] = [];
  let at = 0;
  for (const { name, data, ownName = name, method = 0, flags = 0x808, size = data.length, packed = size, offset = at, isLong } of entries) {
    const local = bytes(
      'PK\x03\x04',
      int16(0),
      int16(flags),
      int16(method),
      int32(0),
      int32(0),
      int32(0),
      int32(0),
      int16(Buffer.byteLength(ownName)),
      int16(0),
      Buffer.from(ownName),
    );
    pieces.push(local, data);
    const numbers = isLong ? [0xffffffff, 0xffffffff, 0xffffffff] : [packed, size, offset];
    const extra = isLong ? bytes(int16(1), int16(24), long(size), long(packed), long(offset)) : new Uint8Array(0);
    list.push(
      bytes('PK\x01\x02', int16(0), int16(0), int16(flags), int16(method), int32(0), int32(0), int32(numbers[0]!), int32(numbers[1]!)),
      bytes(
        int16(Buffer.byteLength(name)),
        int16(extra.length),
        int16(0),
        int16(0),
        int16(0),
        int32(0),
        int32(numbers[2]!),
        Buffer.from(name),
        extra,
      ),
    );
    at += local.length + data.length;
  }
  const directory = bytes(...list);
  const { count = entries.length, offset = at, bytes: size = directory.length } = end;
  const wide = bytes('PK\x06\x06', long(44), int16(0), int16(45), int32(0), int32(0), long(count), long(count), long(size), long(offset));
  const locator = bytes('PK\x06\x07', int32(0), long(at + directory.length), int32(1));
  const short = end.isLong ? [0xffff, 0xffffffff, 0xffffffff] : [count, size, offset];
  const last = bytes('PK\x05\x06', int16(0), int16(0), int16(short[0]!), int16(short[0]!), int32(short[1]!), int32(short[2]!), int16(0));
  return bytes(...pieces, directory, ...(end.isLong ? [wide, locator] : []), last);
}

/** The archive of a checkpoint: its pickle, and what its storages hold. */
export const archive = (pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Entry[] => [
  { name: 'x/data.pkl', data: pickle },
  { name: 'x/byteorder', data: bytes('little') },
  ...Object.entries(storages).map(([key, data]) => ({ name: `x/data/${key}`, data })),
];

const typeOf = (dtype: string): string => Object.entries(STORAGES).find(([, of]) => of === dtype)![0];

/** The tensors of a weights file as torch.save writes them, in one archive; `wrap` puts the dictionary into another. */
export function writeTorch(path: string, file: SafetensorsFile, wrap: (dict: Uint8Array) => Uint8Array = (dict) => dict): void {
  const storages: Record<string, Uint8Array> = {};
  const pairs = [...file.tensors.values()].map((tensor, i): [Uint8Array, Uint8Array] => {
    const { name, dtype, shape } = tensor;
    const data = new Uint8Array(elements(shape) * dtypeBytes(dtype));
    file.read(tensor, data);
    storages[String(i)] = data;
    const strides = shape.map((_, axis) => elements(shape.slice(axis + 1)));
    return [p.text(name), p.tensor(p.storage(typeOf(dtype), String(i), elements(shape)), shape, strides)];
  });
  const fd = openSync(path, 'w');
  writeSync(fd, zip(archive(p.whole(wrap(p.ordered(...pairs))), storages)));
  closeSync(fd);
}
