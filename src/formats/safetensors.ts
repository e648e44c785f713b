/**
 * Weights files in the safetensors format, read by ranges and never as a whole:
 *
 *     0          8                 8 + n
 *     | n (u64)  | JSON header     | tensors, row-major, little-endian, one after the other
 *
 * The header maps each name to `{dtype, shape, data_offsets: [first, last + 1]}`, offsets counted from 8 + n. Nothing in it is trusted:
 * the tensors must cover the rest of the file exactly, without holes and without overlap. (The header's length need not be a multiple of
 * 8, since older writers did not pad; `offset` may therefore be unaligned.)
 */
import * as header from '../../assembly/formats/safetensors.ts';
import { isGood } from '../../assembly/formats/scan.ts';
import { InputError, nearest, shown } from '../base/error.ts';
import { type ByteSource, openFile, type Write, writeAtomic } from '../base/files.ts';
import { parseJson } from '../base/json.ts';
import { refusePretender } from '../base/placeholder.ts';
import { type Dtype, dtypeBytes, dtypes, elements, type Shape, shapeText } from '../base/tensor.ts';
import { wordsOf } from '../base/words.ts';
import { bytesOf, faultOf } from './head.ts';

/** Where one tensor lies. */
export interface Tensor {
  name: string;
  dtype: Dtype;
  shape: Shape;
  /** First byte, counted from the start of its file. */
  offset: number;
  bytes: number;
  /** Index into `files`; 0 unless the weights are sharded. */
  file: number;
}

/** An open weights file, or the shards of one, seen as one. */
export interface SafetensorsFile {
  /** What was opened; stands first in every message. */
  path: string;
  files: readonly { path: string; source: ByteSource }[];
  metadata: ReadonlyMap<string, string>;
  /** By name, in the order of their bytes. */
  tensors: ReadonlyMap<string, Tensor>;
  /** The tensor of that name; an InputError with the nearest names where there is none. */
  tensor(name: string): Tensor;
  /** Fills `target` with the tensor's bytes from byte `from` on. */
  read(tensor: Tensor, target: Uint8Array, from?: number): void;
  close(): void;
}

/** Opens one file. Reads its header only. */
export const openSafetensors = (path: string): SafetensorsFile => openSource(path, openFile(path));

/** Opens a file that something else than the file system provides. Takes the source over: it is closed if the file is refused. */
export function openSource(path: string, source: ByteSource): SafetensorsFile {
  try {
    const { tensors, metadata } = readHeader(path, source);
    return view(path, [{ path, source }], tensors, metadata);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** What transformers puts before timm's own names when it saves a model that it wraps. */
const WRAPPED = 'timm_model.';

function unwrapped(tensors: Map<string, Tensor>): Map<string, Tensor> {
  if (tensors.size === 0 || ![...tensors.keys()].every((name) => name.startsWith(WRAPPED))) return tensors;
  return new Map([...tensors.values()].map((t) => [t.name.slice(WRAPPED.length), { ...t, name: t.name.slice(WRAPPED.length) }]));
}

/** Files and their tensors as one file. */
export function view(
  path: string,
  files: SafetensorsFile['files'],
  found: Map<string, Tensor>,
  metadata: Map<string, string>,
): SafetensorsFile {
  const tensors = unwrapped(found);
  const file: SafetensorsFile = {
    path,
    files,
    tensors,
    metadata,
    tensor(name) {
      const tensor = tensors.get(name);
      if (tensor) return tensor;
      // A wrapper's own name in front of every tensor (module., model., backbone.) is more than a few letters away.
      const longer = [...tensors.keys()].find((other) => other.endsWith(`.${name}`));
      const near = longer === undefined ? nearest(name, tensors.keys()).map(shown) : [shown(longer)];
      throw new InputError({
        where: path,
        what: `tensor ${shown(name)} is missing`,
        hint: near.length > 0 ? `nearest names: ${near.join(', ')}` : `the file holds ${tensors.size} tensors`,
      });
    },
    read(tensor, target, from = 0) {
      if (from < 0 || from + target.length > tensor.bytes) throw new RangeError(`${tensor.name}: read past its end`);
      files[tensor.file]!.source.readAt(tensor.offset + from, target);
    },
    close() {
      for (const { source } of files) source.close();
    },
  };
  return file;
}

/** By the reader's numbers. */
const TYPES = header.TYPES.split(' ') as Dtype[];
const room = new DataView(new ArrayBuffer(header.ROOM_BYTES));
const words = wordsOf(() => room);

/** The name of the tensor that was read last. */
function nameOf(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(room.buffer, 0, header.nameBytes));
  } catch {
    throw new InputError({ where: `${path}, header`, what: 'is not UTF-8 text' });
  }
}

/** Reads and checks the header of one file: each tensor is assembly/formats/safetensors.ts's to check, and here that they lie side by side. */
export function readHeader(path: string, source: ByteSource): { tensors: Map<string, Tensor>; metadata: Map<string, string> } {
  refuseOther(path, source);
  const tensors = new Map<string, Tensor>();
  const whereOf = (name: string): string => `${path}, tensor ${shown(name)}`;
  if (header.openHeader(bytesOf(source), source.size, words, 0))
    while (header.nextTensor()) {
      const { type, rank, offset, bytes } = header;
      const name = nameOf(path);
      if (tensors.has(name)) throw new InputError({ where: whereOf(name), what: 'stands twice' });
      const shape = Array.from({ length: rank }, (_, i) => header.axis(i));
      tensors.set(name, { name, dtype: TYPES[type]!, shape, offset, bytes, file: 0 });
    }
  if (!isGood()) throw faultOf(header.isAboutTensor ? whereOf(nameOf(path)) : path, path, source);
  const sorted = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  checkNeighbours(path, sorted, source.size);
  return { tensors: new Map(sorted.map((tensor) => [tensor.name, tensor])), metadata: readMetadata(path, source) };
}

/** The header's first byte is the file's ninth; without it this is something else, and what, its first bytes may say. */
function refuseOther(path: string, source: ByteSource): void {
  const start = new Uint8Array(Math.min(512, source.size));
  source.readAt(0, start.subarray(0, 9));
  if (start[8] === 0x7b) return;
  source.readAt(0, start);
  refusePretender(path, start, source.size, true);
}

/** Tensors by their first bytes cover the file without holes and without overlap. */
function checkNeighbours(path: string, tensors: readonly Tensor[], size: number): void {
  let end = header.dataStart;
  let before = 'the header';
  for (const { name, offset, bytes } of tensors) {
    if (offset !== end) {
      const what = offset < end ? 'overlaps' : 'leaves a hole after';
      const got = `data from byte ${offset - header.dataStart}`;
      throw new InputError({
        where: `${path}, tensor ${shown(name)}`,
        what: `${what} ${before}`,
        got,
        expected: end - header.dataStart,
      });
    }
    end = offset + bytes;
    before = shown(name);
  }
  if (end !== size) {
    const got = `${size - end} after ${before}`;
    throw new InputError({ where: path, what: 'bytes that belong to no tensor', got, expected: 0 });
  }
}

/** The metadata's texts, which have been looked at: an object of nothing else. */
function readMetadata(path: string, source: ByteSource): Map<string, string> {
  const { metadataFrom, metadataTo } = header;
  if (metadataTo === 0) return new Map();
  const bytes = new Uint8Array(metadataTo - metadataFrom);
  source.readAt(metadataFrom, bytes);
  return new Map(Object.entries(parseJson(`${path}, __metadata__`, bytes, 1) as Record<string, string>));
}

/** A tensor to be written; `data` may be made when its turn comes, whole or in pieces, so that little of a file is in memory at a time. */
export interface TensorData {
  name: string;
  dtype: Dtype;
  shape: Shape;
  data: Uint8Array | (() => Uint8Array | Generator<Uint8Array>);
}

/**
 * Writes a file whole or not at all. The bytes depend on the contents alone: tensors by descending type, then by name (the order of
 * the format's reference writer), metadata by key, the header padded with spaces to a multiple of 8.
 */
export function writeSafetensors(path: string, tensors: readonly TensorData[], metadata: Record<string, string> = {}): void {
  writeAtomic(path, (write) => writeTensors(path, write, tensors, metadata));
}

/** The same into any stream of bytes; `where` stands in messages. */
export function writeTensors(where: string, write: Write, tensors: readonly TensorData[], metadata: Record<string, string> = {}): void {
  const { head, order } = layTensors(where, tensors, metadata);
  write(head);
  for (const { name, dtype, shape, data } of order.map((i) => tensors[i]!)) {
    const made = typeof data === 'function' ? data() : data;
    const expected = elements(shape) * dtypeBytes(dtype);
    let got = 0;
    for (const piece of made instanceof Uint8Array ? [made] : made) {
      got += piece.length;
      write(piece);
    }
    if (got !== expected) throw new InputError({ where: `${where}, tensor ${shown(name)}`, what: 'wrong number of bytes', got, expected });
  }
}

/** What comes before the tensors' data, and the order (indices into `tensors`) in which that follows. */
export function layTensors(
  where: string,
  tensors: readonly Omit<TensorData, 'data'>[],
  metadata: Record<string, string> = {},
): { head: Uint8Array; order: number[] } {
  const rank = (i: number) => dtypes.indexOf(tensors[i]!.dtype);
  const order = [...tensors.keys()].sort((a, b) => rank(b) - rank(a) || (tensors[a]!.name < tensors[b]!.name ? -1 : 1));
  const parts: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    parts.push(`"__metadata__":{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`).join(',')}}`);
  }
  const names = new Set(['__metadata__']);
  let end = 0;
  for (const { name, dtype, shape } of order.map((i) => tensors[i]!)) {
    if (names.has(name)) throw new InputError({ where: `${where}, tensor ${shown(name)}`, what: 'would be written twice' });
    names.add(name);
    const bytes = elements(shape) * dtypeBytes(dtype);
    if (!Number.isSafeInteger(end + bytes))
      throw new InputError({ where: `${where}, tensor ${shown(name)}`, what: 'bad shape', got: shapeText(shape) });
    parts.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${end},${end + bytes}]}`);
    end += bytes;
  }
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const head = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(json, 8);
  return { head, order };
}
