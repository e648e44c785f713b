/** Sums, differences, products and quotients: of two values, of a value and a number, of a value and numbers by channel or by position. */

import { elements } from '../../../base/tensor.ts';
import type { Fn } from '../../../ops/activations.ts';
import type { Call } from '../call.ts';
import { type Constant, constant, scalarOf } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { channelsOf, joined, sizeOfStep } from '../steps.ts';
import { alike, shapeOfView, type View } from '../view.ts';
import { areChannels, channelLayer, fitted, plusChannels, timesChannels } from './channels.ts';
import { applied, apply } from './functions.ts';
import { normalised, quotient } from './normalise.ts';
import { withPositions } from './parts.ts';
import { responsePart, withResponse } from './response.ts';

type Two = (x: number, y: number) => number;
type Name = 'Add' | 'Sub' | 'Mul' | 'Div' | 'Pow' | 'Min' | 'Max';

const TWO: Record<Name, Two> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
  Pow: (x, y) => x ** y,
  Min: Math.min,
  Max: Math.max,
};

const negated = (c: Constant): Constant => constant(c.shape, false, () => c.numbers().map((v) => -v));
const inverted = (c: Constant): Constant => constant(c.shape, false, () => c.numbers().map((v) => 1 / v));

/** Two views of one shape with the values of both in the order of the first; undefined where their shapes differ. */
function sameOrder(l: Lowering, a: View, b: View): { a: View; b: number } | undefined {
  const both = alike(a, b);
  if (both === undefined) return undefined;
  const [x, y] = [both.a.dims.flat(), both.b.dims.flat()];
  const order = both.a.axes.map((_, i) => y[x.indexOf(i)]!);
  return { a: both.a, b: l.ordered(both.b, order) };
}

/** Views of the same number of axes: ones are put before the shorter one's. */
function levelled(a: View, b: View): [View, View] {
  const rank = Math.max(a.dims.length, b.dims.length);
  const up = ({ kind, value, axes, dims }: View): View => ({
    kind,
    value,
    axes,
    dims: [...Array.from({ length: rank - dims.length }, () => []), ...dims],
  });
  return [up(a), up(b)];
}

function ofTwo(l: Lowering, name: Name, first: View, second: View): View {
  const [a, b] = levelled(first, second);
  const same = sameOrder(l, a, b);
  const pointwise = same && joined(l.steps, [same.a.value, same.b], TWO[name]);
  if (pointwise) return applied(l, same.a, pointwise);
  if (name === 'Div') {
    const norm = quotient(l, a, b) ?? normalised(l, a, b);
    if (norm) return norm;
  }
  if (name === 'Mul') {
    const gated = responsePart(l, a, b) ?? responsePart(l, b, a) ?? gate(l, a, b) ?? gate(l, b, a);
    if (gated) return gated;
  }
  if (same) {
    const { shape } = l.steps[same.a.value]!;
    if (name === 'Sub') {
      const less = apply(l, { ...same.a, value: same.b }, (x) => -x);
      return { ...same.a, value: l.emit({ op: 'add', inputs: [same.a.value, less.value], shape }) };
    }
    if (name === 'Add') {
      const response = withResponse(l, same.a.value, same.b) ?? withResponse(l, same.b, same.a.value);
      if (response !== undefined) return { ...same.a, value: response };
    }
    const op = { Add: 'add', Mul: 'times' }[name as string];
    if (op) return { ...same.a, value: l.emit({ op, inputs: [same.a.value, same.b], shape }) };
  }
  // Not one of ours by itself; a norm may take it in.
  const op = `two ${name}`;
  const wide = same || sizeOfStep(l.steps[a.value]!) >= sizeOfStep(l.steps[b.value]!) ? a : b;
  return { ...wide, value: l.emit({ op, inputs: [a.value, b.value], shape: l.steps[wide.value]!.shape }) };
}

/** x · g, one factor for each channel of a picture. */
function gate(l: Lowering, x: View, g: View): View | undefined {
  if (g.dims.length !== x.dims.length) return undefined;
  const [xs, gs] = [shapeOfView(x), shapeOfView(g)];
  if (xs.some((d, i) => gs[i] !== 1 && gs[i] !== d) || sizeOfStep(l.steps[g.value]!) === sizeOfStep(l.steps[x.value]!)) return undefined;
  const axes = x.dims.flatMap((dim, i) => (gs[i] === 1 ? [] : dim)).sort((a, b) => a - b);
  const [step, factors] = [l.steps[x.value]!, l.steps[g.value]!];
  const order = g.dims.flat();
  const isOne = x.dims.filter((_, i) => gs[i] !== 1).length <= 1 && order.every((axis, i) => axis === i);
  if (!isOne || !areChannels(x, axes, channelsOf(step)) || sizeOfStep(factors) !== channelsOf(step)) return undefined;
  return { ...x, value: l.emit({ op: 'gate', inputs: [x.value, g.value], shape: step.shape }) };
}

/** Equal numbers by channel still are numbers by channel where a layer before can take them. */
function takesVector(l: Lowering, view: View, c: Constant): boolean {
  const { op } = l.steps[view.value]!;
  return elements(c.shape) > 1 && ['conv', 'linear', 'layerNorm', 'rmsNorm', 'groupNorm', 'response'].includes(op);
}

function withConstant(call: Call<Operand>, l: Lowering, name: Name, view: View, c: Constant, isFirst: boolean): View {
  const one = scalarOf(c);
  if (one !== undefined && !takesVector(l, view, c)) {
    const f: Fn = isFirst ? (x) => TWO[name](one, x) : (x) => TWO[name](x, one);
    return apply(l, view, f);
  }
  const { numbers, axes } = fitted(call, view, c);
  const step = l.steps[view.value]!;
  const isByChannel = areChannels(view, axes, channelsOf(step));
  const isSum = name === 'Add' || (name === 'Sub' && !isFirst);
  const isProduct = name === 'Mul' || (name === 'Div' && !isFirst);
  if (isByChannel && isSum) {
    const own = name === 'Sub' ? negated(numbers) : numbers;
    return plusChannels(l, view, own) ?? channelLayer(l, view, undefined, own);
  }
  if (isByChannel && isProduct) {
    const own = name === 'Div' ? inverted(numbers) : numbers;
    return timesChannels(l, view, own) ?? channelLayer(l, view, own, undefined);
  }
  if (isProduct && step.op === 'matmul') {
    const a = Object.fromEntries(axes.map((axis, i) => [`axis${i}`, axis]));
    return {
      ...view,
      value: l.emit({
        op: 'byHead',
        inputs: [view.value],
        shape: step.shape,
        views: [view],
        constant: name === 'Div' ? inverted(numbers) : numbers,
        a,
      }),
    };
  }
  if (isSum) return withPositions(l, view, name === 'Sub' ? negated(c) : c, axes);
  throw call.fault('takes together a value and numbers in a way that is not supported', `[${shapeOfView(view)}] and [${c.shape}]`);
}

const rule =
  (name: Name): Rule =>
  (call, l) => {
    if (call.inputs.length !== 2) throw call.fault('has another number of operands than two');
    const [a, b] = [call.at(0), call.at(1)];
    if (a.kind === 'view' && b.kind === 'view') return [ofTwo(l, name, a, b)];
    if (a.kind === 'view' && b.kind === 'constant') return [withConstant(call, l, name, a, b, false)];
    if (a.kind === 'constant' && b.kind === 'view') return [withConstant(call, l, name, b, a, true)];
    throw call.fault('is not supported');
  };

export const arithmetic: Readonly<Record<string, Rule>> = Object.fromEntries(
  (Object.keys(TWO) as Name[]).map((name) => [name, rule(name)]),
);
