/** One node as its operator sees it: operands and attributes, each asked for in the way that the format gives it. */
import { InputError, shown } from '../../base/error.ts';
import type { Constant } from './constant.ts';
import type { OnnxNode } from './model.ts';

export interface Call<T> {
  node: OnnxNode;
  opset: number;
  inputs: readonly string[];
  /** Operand `i`, which must be there. */
  at(i: number): T;
  has(i: number): boolean;
  /** Operand `i`, which must be known. */
  constant(i: number): Constant;
  int(name: string, preset: number): number;
  float(name: string, preset: number): number;
  ints(name: string): readonly number[] | undefined;
  text(name: string, preset: string): string;
  tensor(name: string): Constant | undefined;
  fault(what: string, got?: string | number, expected?: string): InputError;
}

/** What a node is called in messages. */
export const called = ({ name, op }: OnnxNode): string => (name === '' ? op : `${shown(name)} (${op})`);

export function callOf<T>(
  where: string,
  node: OnnxNode,
  opset: number,
  find: (name: string) => T | undefined,
  asConstant: (value: T) => Constant | undefined,
  tensorOf: (node: OnnxNode, name: string) => Constant | undefined,
): Call<T> {
  const { attributes, inputs } = node;
  const fault = (what: string, got?: string | number, expected?: string): InputError =>
    new InputError({
      where: `${where}, node ${called(node)}`,
      what,
      ...(got === undefined ? {} : { got }),
      ...(expected === undefined ? {} : { expected }),
    });
  const has = (i: number): boolean => (inputs[i] ?? '') !== '';
  const at = (i: number): T => {
    if (!has(i)) throw fault(`operand ${i} is missing`);
    const value = find(inputs[i]!);
    if (value === undefined) throw fault(`reads ${shown(inputs[i]!)}, which nothing makes before it`);
    return value;
  };
  const constantAt = (i: number): Constant => {
    const value = asConstant(at(i));
    if (value === undefined) throw fault(`operand ${i} follows from the picture; only what is known before is supported there`);
    return value;
  };
  return {
    node,
    opset,
    inputs,
    fault,
    has,
    at,
    constant: constantAt,
    int: (name, preset) => attributes.get(name)?.i ?? preset,
    float: (name, preset) => attributes.get(name)?.f ?? preset,
    ints: (name) => attributes.get(name)?.ints,
    text: (name, preset) => attributes.get(name)?.s ?? preset,
    tensor: (name) => tensorOf(node, name),
  };
}

/** A list of whole numbers: operand `i` where it is there, else the attribute that older opsets have instead. */
export function intsOf<T>(call: Call<T>, i: number, attribute?: string): number[] | undefined {
  if (call.has(i)) return [...call.constant(i).numbers()];
  const list = attribute === undefined ? undefined : call.ints(attribute);
  return list && [...list];
}

export function axisOf<T>(call: Call<T>, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!(at >= 0 && at < rank)) throw call.fault('names an axis that is not there', axis, `${-rank} to ${rank - 1}`);
  return at;
}

/** The axes that a reduction or a squeeze names; undefined: none, which means all. */
export function axesOf<T>(call: Call<T>, rank: number): number[] | undefined {
  const axes = intsOf(call, 1, 'axes');
  return axes === undefined || (axes.length === 0 && call.int('noop_with_empty_axes', 0) === 0)
    ? undefined
    : axes.map((axis) => axisOf(call, axis, rank));
}

/** The shape that a Reshape gives: 0 is the axis as it was, -1 what is left. */
export function reshapeTo<T>(call: Call<T>, from: readonly number[]): number[] {
  const target = intsOf(call, 1, 'shape') ?? [];
  const keepsZero = call.int('allowzero', 0) !== 0;
  const out = target.map((d, i) => (d === 0 && !keepsZero ? (from[i] ?? 0) : d));
  const known = out.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const total = from.reduce((n, d) => n * d, 1);
  const open = out.indexOf(-1);
  if (open >= 0) out[open] = total / known;
  const size = out.reduce((n, d) => n * d, 1);
  if (size !== total || out.some((d) => !(Number.isInteger(d) && d >= 0)))
    throw call.fault(
      'does not fit the shape that it is to have',
      `[${from}]`,
      `[${target}]; was the file exported for another picture or batch size?`,
    );
  return out;
}

/** What a Slice takes of each axis that it names. */
export function sliceRanges<T>(call: Call<T>, shape: readonly number[]): { axis: number; from: number; count: number; step: number }[] {
  const starts = intsOf(call, 1, 'starts') ?? [];
  const ends = intsOf(call, 2, 'ends') ?? [];
  const axes = intsOf(call, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = intsOf(call, 4) ?? starts.map(() => 1);
  return starts.map((start, i) => {
    const axis = axisOf(call, axes[i]!, shape.length);
    const [size, step] = [shape[axis]!, steps[i]!];
    if (!Number.isInteger(step) || step === 0) throw call.fault('slices by steps of 0');
    const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x < 0 ? x + size : x, low), high);
    const from = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, size) : clamp(ends[i]!, -1, size - 1);
    return { axis, from, count: Math.max(0, Math.ceil((end - from) / step)), step };
  });
}

export function splitSizes<T>(call: Call<T>, size: number): number[] {
  const given = intsOf(call, 1, 'split');
  const count = call.node.outputs.length;
  const each = Math.ceil(size / count);
  const sizes = given ?? Array.from({ length: count }, (_, i) => Math.min(each, size - i * each));
  if (sizes.length !== count || sizes.reduce((a, b) => a + b, 0) !== size || sizes.some((n) => n < 0))
    throw call.fault('does not split its axis', `[${sizes}] of ${size}`);
  return sizes;
}

/** The part of a shape that `Shape` gives (from opset 15 on it may be a part). */
export function shapeRange<T>(call: Call<T>, shape: readonly number[]): number[] {
  const end = call.int('end', shape.length);
  return shape.slice(call.int('start', 0), end);
}

export function unsqueezed<T>(call: Call<T>, shape: readonly number[]): number[] {
  const list = intsOf(call, 1, 'axes') ?? [];
  const rank = shape.length + list.length;
  const axes = list.map((a) => (a < 0 ? a + rank : a));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!));
}
