/** Operators that move nothing: other shapes and orders of the same values. */

import { elements } from '../../../base/tensor.ts';
import type { Call } from '../call.ts';
import { axesOf, intsOf, reshapeTo, shapeRange, unsqueezed } from '../call.ts';
import { broadcast, listOf } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { merged, reshapeView, shapeOfView, transposeView, type View } from '../view.ts';

/** The operand that follows from the picture. */
export function viewAt(call: Call<Operand>, i: number): View {
  const value = call.at(i);
  if (value.kind === 'view') {
    if (value.repeated) throw call.fault('reads a value that is repeated along an axis, which is not supported');
    return value;
  }
  throw call.fault(`operand ${i} is known beforehand, which is not supported there`);
}

/** A view in another shape; where that divides no axis evenly, of a copy in its own order. */
export function inShape(call: Call<Operand>, l: Lowering, view: View, shape: readonly number[]): View {
  const first = reshapeView(view, shape);
  if (first) return merged(first);
  const copy = plainCopy(l, view);
  const whole: View = { ...copy, axes: [copy.axes.reduce((n, d) => n * d, 1)], dims: [[0]] };
  const again = reshapeView(whole, shape);
  if (again === undefined) throw call.fault('does not fit the shape that it is to have', `[${shapeOfView(view)}]`, `[${shape}]`);
  return merged(again);
}

/** The same, lying in the order in which the file sees it. */
export function plainCopy(l: Lowering, view: View): View {
  const order = view.dims.flat();
  const value = l.ordered(view, order);
  let next = 0;
  return merged({ kind: 'view', value, axes: order.map((i) => view.axes[i]!), dims: view.dims.map((dim) => dim.map(() => next++)) });
}

const same: Rule = (call) => [call.at(0)];

export const reorder: Readonly<Record<string, Rule>> = {
  Identity: same,
  Dropout: same,
  // Between kinds of floats: everything here is f32.
  Cast: (call) => {
    if (![1, 10, 11, 16].includes(call.int('to', 1))) throw call.fault('turns what follows from the picture into whole numbers');
    return [call.at(0)];
  },
  CastLike: same,
  Shape: (call) => [listOf(shapeRange(call, shapeOfView(viewAt(call, 0))))],
  Reshape: (call, l) => {
    const view = viewAt(call, 0);
    return [inShape(call, l, view, reshapeTo(call, shapeOfView(view)))];
  },
  Flatten: (call, l) => {
    const view = viewAt(call, 0);
    const shape = shapeOfView(view);
    const axis = call.int('axis', 1);
    const at = axis < 0 ? axis + shape.length : axis;
    const product = (list: number[]): number => list.reduce((n, d) => n * d, 1);
    return [inShape(call, l, view, [product(shape.slice(0, at)), product(shape.slice(at))])];
  },
  Squeeze: (call) => {
    const view = viewAt(call, 0);
    const shape = shapeOfView(view);
    const axes = axesOf(call, shape.length) ?? [...shape.keys()].filter((i) => shape[i] === 1);
    const wide = axes.find((i) => shape[i] !== 1);
    if (wide !== undefined) throw call.fault('squeezes an axis that is not one', shape[wide]!);
    return [{ ...view, dims: view.dims.filter((_, i) => !axes.includes(i)) }];
  },
  Unsqueeze: (call) => {
    const view = viewAt(call, 0);
    const rest = [...view.dims];
    const shape = unsqueezed(call, shapeOfView(view));
    const list = intsOf(call, 1, 'axes') ?? [];
    const axes = list.map((a) => (a < 0 ? a + shape.length : a));
    return [{ ...view, dims: shape.map((_, i) => (axes.includes(i) ? [] : rest.shift()!)) }];
  },
  Transpose: (call) => {
    const view = viewAt(call, 0);
    const perm = call.ints('perm') ?? [...view.dims.keys()].reverse();
    if (perm.length !== view.dims.length || new Set(perm).size !== perm.length || perm.some((i) => view.dims[i] === undefined))
      throw call.fault('has a wrong order of axes', `[${perm}]`);
    return [transposeView(view, perm)];
  },
  Expand: (call) => {
    const view = viewAt(call, 0);
    const own = shapeOfView(view);
    const shape = broadcast(own, intsOf(call, 1) ?? []);
    if (shape === undefined) throw call.fault('does not fit the shape that it is to have', `[${own}]`);
    const isRepeated = elements(shape) !== elements(own);
    return [
      { ...view, dims: [...shape.slice(own.length).map(() => []), ...view.dims], ...(isRepeated ? { repeated: true as const } : {}) },
    ];
  },
};
