/** Arrays of numbers as Flower's objects have them: an Array says type and shape, its chunks are the pieces of one .npy file. */
import { InputError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import { elements } from '../base/tensor.ts';
import { npyOf } from '../formats/npy/read.ts';
import { npyHead } from '../formats/npy/write.ts';
import { sourceOf } from './bytes.ts';
import { type FleetObject, makeObject, type Parsed } from './objects.ts';

/** Numbers row by row, of f32 or f64, with their shape. */
export interface NumberArray {
  shape: readonly number[];
  values: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

/** Bytes of a chunk, as flwr slices them. */
const CHUNK = 5 << 20;

/** JSON as Python's `json.dumps` writes it, so that equal arrays have equal names on either side. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, one]) => `${pythonJson(key)}: ${pythonJson(one)}`)
      .join(', ')}}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The objects of an array. */
export function arrayObject({ shape, values }: NumberArray): FleetObject {
  const isDouble = values instanceof Float64Array;
  const head = npyHead(isDouble ? '<f8' : '<f4', shape);
  const file = new Uint8Array(head.length + values.byteLength);
  file.set(head);
  file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), head.length);
  const chunks = Array.from({ length: Math.ceil(file.length / CHUNK) }, (_, i) =>
    makeObject('ArrayChunk', [], file.subarray(i * CHUNK, (i + 1) * CHUNK)),
  );
  const distinct = [...new Set(chunks.map(({ id }) => id))];
  const about = {
    dtype: isDouble ? 'float64' : 'float32',
    shape,
    stype: 'numpy.ndarray',
    arraychunk_ids: chunks.map(({ id }) => distinct.indexOf(id)),
  };
  return makeObject('Array', chunks, new TextEncoder().encode(pythonJson(about)));
}

/** The objects of named arrays. */
export function arraysObject(arrays: ReadonlyMap<string, NumberArray>): FleetObject {
  const objects = [...arrays].map(([name, array]) => [name, arrayObject(array)] as const);
  const names = Object.fromEntries(objects.map(([name, { id }]) => [name, id]));
  return makeObject(
    'ArrayRecord',
    objects.map(([, object]) => object),
    new TextEncoder().encode(pythonJson(names)),
  );
}

/** Bytes that arrays may yet take: a server names pieces, and may name one again and again. */
export interface Room {
  bytes: number;
}

/**
 * Reads an array's objects; `chunkOf` gives a chunk by its name. InputError for another type than f32 or f64, where the pieces do not add up, and where they
 * are more than there is room for, which becomes less.
 */
export function readArray(where: string, { type, children, body }: Parsed, chunkOf: (id: string) => Parsed, room: Room): NumberArray {
  const fail = (what: string): never => {
    throw new InputError({ where, what });
  };
  if (type !== 'Array') fail(`is no array, got ${type}`);
  const { arraychunk_ids: order, stype } = parseJson(where, body) as Record<string, unknown>;
  if (stype !== 'numpy.ndarray') fail('is no array of NumPy');
  if (!Array.isArray(order) || !order.every((i) => Number.isSafeInteger(i) && i >= 0 && i < children.length))
    fail('names pieces that it has not');
  const pieces = (order as number[]).map((i) => chunkOf(children[i]!).body);
  const length = pieces.reduce((n, piece) => n + piece.length, 0);
  if (length > room.bytes) fail(`is larger than any adapter of this network, got ${length} bytes, expected at most ${room.bytes}`);
  room.bytes -= length;
  const file = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  const npy = npyOf(where, sourceOf(file));
  const count = elements(npy.shape);
  if (npy.kind !== 'f' || npy.size < 4) fail(`holds other numbers than f32 or f64, got ${npy.descr}`);
  const values = npy.size === 4 ? new Float32Array(count) : new Float64Array(count);
  npy.readBytes(0, count, new Uint8Array(values.buffer));
  return { shape: npy.shape, values };
}
