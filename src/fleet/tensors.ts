/** An adapter's tensors on their way: by name, or all in one array, which spares a server and the network hundreds of objects. */
import { InputError, shown } from '../base/error.ts';
import { elements, type Shape, sameShape, shapeText } from '../base/tensor.ts';
import { type AdapterInfo, readAdapter, writeAdapter } from '../formats/adapterfile.ts';
import type { NumberArray } from './arrays.ts';

/** Tensors by the names that an adapter's file has, in its order. */
export type Tensors = Map<string, NumberArray>;

/** The one array's name. */
const PACKED = 'adapter';
/** Rates that were measured, for people; a tensor that nobody needs. */
export const RATES = 's2a.rates';

/** All tensors one after the other, and what lies where. */
export function packTensors(tensors: Tensors): { arrays: Map<string, NumberArray>; layout: string } {
  const values = new Float32Array([...tensors.values()].reduce((n, one) => n + one.values.length, 0));
  let at = 0;
  for (const one of tensors.values()) {
    values.set(one.values, at);
    at += one.values.length;
  }
  const layout = JSON.stringify([...tensors].map(([name, { shape }]) => [name, shape]));
  return { arrays: new Map([[PACKED, { shape: [values.length], values }]]), layout };
}

const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every((n) => Number.isSafeInteger(n) && n > 0);

/** Takes them apart again. InputError where the layout is none, names a tensor twice, or asks for more or fewer numbers than there are. */
export function unpackTensors(where: string, arrays: ReadonlyMap<string, NumberArray>, layout: string): Tensors {
  const fail = (what: string, got?: string | number, expected?: string | number): never => {
    throw new InputError({ where, what, ...(got === undefined ? {} : { got }), ...(expected === undefined ? {} : { expected }) });
  };
  const packed = arrays.get(PACKED);
  if (packed === undefined || arrays.size !== 1 || packed.shape.length !== 1) return fail('has a layout, and not one array that it is of');
  let list: unknown;
  try {
    list = JSON.parse(layout);
  } catch {
    return fail('its layout is no JSON', shown(layout));
  }
  if (!Array.isArray(list)) return fail('its layout is no list', shown(layout));
  const tensors: Tensors = new Map();
  let at = 0;
  for (const item of list) {
    const [name, shape] = Array.isArray(item) ? item : [];
    if (typeof name !== 'string' || !isShape(shape) || tensors.has(name))
      return fail('its layout names no tensor', shown(JSON.stringify(item)));
    const count = shape.reduce((n, d) => n * d, 1);
    tensors.set(name, { shape, values: packed.values.slice(at, at + count) });
    at += count;
  }
  if (at !== packed.values.length) fail('numbers that the layout does not account for', packed.values.length, at);
  return tensors;
}

/** What an adapter of a node's network has: names and shapes, the first axis of the head's being the labels. */
export interface Wanted {
  head: readonly string[];
  shapes: ReadonlyMap<string, readonly number[]>;
}

/** Shapes by name with so many labels. */
const shapesOf = ({ head, shapes }: Wanted, labels: number): [string, Shape][] =>
  [...shapes].map(([name, shape]) => [name, head.includes(name) ? [labels, ...shape.slice(1)] : shape]);

/** Bytes of all tensors with so many labels. */
export const adapterBytes = (wanted: Wanted, labels: number): number =>
  4 * shapesOf(wanted, labels).reduce((n, [, shape]) => n + elements(shape), 0);

/** Refuses tensors that are not those of this network with so many labels, or hold what is no number; `where` names them. */
export function checkTensorsOf(where: string, tensors: Tensors, wanted: Wanted, labels: number): void {
  for (const name of tensors.keys())
    if (!wanted.shapes.has(name) && name !== RATES)
      throw new InputError({ where, what: `tensor ${shown(name)} has no place in this network` });
  for (const [name, shape] of shapesOf(wanted, labels)) {
    const found = tensors.get(name);
    if (found === undefined) throw new InputError({ where, what: `tensor ${name} is missing` });
    if (!sameShape(found.shape, shape))
      throw new InputError({ where: `${where}: ${name}`, what: 'wrong shape', got: shapeText(found.shape), expected: shapeText(shape) });
    if (!(found.values instanceof Float32Array)) throw new InputError({ where: `${where}: ${name}`, what: 'holds f64', expected: 'f32' });
    if (!found.values.every(Number.isFinite))
      throw new InputError({ where: `${where}: ${name}`, what: 'holds numbers that are NaN or infinite' });
  }
}

/** The rows of the head that belong to these places of the labels, in this order. */
export function withRows(tensors: Tensors, head: readonly string[], rows: readonly number[]): Tensors {
  const out: Tensors = new Map();
  for (const [name, tensor] of tensors) {
    if (!head.includes(name)) {
      out.set(name, tensor);
      continue;
    }
    const width = tensor.values.length / tensor.shape[0]!;
    const values = new Float32Array(rows.length * width);
    for (const [i, row] of rows.entries()) values.set(tensor.values.subarray(row * width, (row + 1) * width), i * width);
    out.set(name, { shape: [rows.length, ...tensor.shape.slice(1)], values });
  }
  return out;
}

/** Writes an adapter folder of them. What stood there before stays where that fails. */
export function writeTensorsTo(folder: string, info: AdapterInfo, tensors: Tensors): void {
  writeAdapter(
    folder,
    info,
    [...tensors].map(([name, { shape, values }]) => ({
      name,
      shape,
      dtype: 'F32' as const,
      data: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    })),
  );
}

/** The tensors of an adapter folder, and what it says of itself. */
export function readTensorsOf(folder: string): { info: AdapterInfo; tensors: Tensors } {
  const { weights, path: _, ...info } = readAdapter(folder);
  try {
    const tensors: Tensors = new Map();
    for (const tensor of weights.tensors.values()) {
      const values = new Float32Array(tensor.bytes / 4);
      weights.read(tensor, new Uint8Array(values.buffer));
      tensors.set(tensor.name, { shape: tensor.shape, values });
    }
    return { info, tensors };
  } finally {
    weights.close();
  }
}
