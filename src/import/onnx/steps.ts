/**
 * What a file's graph becomes: steps in order, each an operator of ours or, until a pattern takes it in, a plain one that stands for itself. A
 * step never changes; recognising a pattern appends a step that takes another's place, and what nothing reads in the end goes.
 */
import { elements } from '../../base/tensor.ts';
import type { Constant } from './constant.ts';
import type { View } from './view.ts';

/** A weight of a step: the name that it learns under, its shape in the file's order, and where its numbers are. */
export interface Param {
  name: string;
  shape: readonly number[];
  from: Constant;
}

export interface Step {
  op: string;
  /** Of the layer: the module's path, unique. */
  name: string;
  /** The node, for messages. */
  node: string;
  /** The module's path, by which blocks are found. */
  scope: string;
  /** Values that it reads: positions of the steps that make them. */
  inputs: readonly number[];
  /** What it makes, as it lies, without the axis of pictures; channels last. */
  shape: readonly number[];
  a: Readonly<Record<string, number>>;
  params: Readonly<Record<string, Param>>;
  /** Views of the inputs, where a step that stands for itself needs them. */
  views?: readonly View[];
  /** It is a function of one value, element by element: of which, and how. */
  pointwise?: ReadonlyMap<number, (x: number) => number>;
  /** The shape that it reads each input in, where its operator asks for one. */
  wants?: readonly (readonly number[])[];
  /** What is added to it, in the order of its elements. */
  constant?: Constant;
}

/** Operators that the engine has, or that are built of such. The others stand for a node that no pattern took in. */
export const BUILT: ReadonlySet<string> = new Set([
  ...['picture', 'conv', 'linear', 'activation', 'add', 'gate', 'layerNorm', 'pool', 'maxPool', 'embed', 'attention'],
  ...['partition', 'reverse', 'scale', 'affine', 'groupConv', 'averagePool', 'times', 'transpose', 'concat', 'slice', 'rows'],
  ...['rmsNorm', 'groupNorm', 'responseNorm', 'crossAttention', 'resize', 'pad'],
]);

/** Values that a step's own op treats row by row: the shape of its input's rows is its own. */
export const ROWWISE: ReadonlySet<string> = new Set([
  ...['linear', 'activation', 'layerNorm', 'add', 'gate', 'line', 'scale', 'affine', 'times'],
]);

export const channelsOf = ({ shape }: Step): number => shape.at(-1) ?? 1;
export const sizeOfStep = ({ shape }: Step): number => elements(shape);

/** Furthest that a function of one value is traced back. */
const MOST_LEAVES = 16;

/** `f` of step `of`, as a function of every value that this one is a function of. */
export function composed(steps: readonly Step[], of: number, f: (x: number) => number): Map<number, (x: number) => number> {
  const out = new Map([[of, f]]);
  for (const [leaf, g] of steps[of]!.pointwise ?? []) {
    if (out.size >= MOST_LEAVES) break;
    out.set(leaf, (x) => f(g(x)));
  }
  return out;
}

/** A function of two values that are functions of the same one. */
export function joined(
  steps: readonly Step[],
  [a, b]: readonly [number, number],
  f: (x: number, y: number) => number,
): Map<number, (x: number) => number> | undefined {
  const of = (id: number): Map<number, (x: number) => number> => new Map([[id, (x: number) => x], ...(steps[id]!.pointwise ?? [])]);
  const [x, y] = [of(a), of(b)];
  const out = new Map<number, (x: number) => number>();
  for (const [leaf, g] of x) {
    const h = y.get(leaf);
    if (h) out.set(leaf, (v) => f(g(v), h(v)));
  }
  return out.size > 0 ? out : undefined;
}
