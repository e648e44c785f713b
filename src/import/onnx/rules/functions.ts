/**
 * Functions of one value, element by element. An activation is recognised by what it computes, not by how it is spelled: whatever chain of
 * operators makes one value out of another is tried at some sixty places against every activation there is.
 */
import { ACTIVATIONS, type Fn } from '../../../ops/activations.ts';
import type { Call } from '../call.ts';
import { scalarOf } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { composed } from '../steps.ts';
import type { View } from '../view.ts';
import { viewAt } from './reorder.ts';

/** Where functions are held against each other: dense around 0, where activations bend, and far out. */
const PLACES: readonly number[] = [
  ...Array.from({ length: 49 }, (_, i) => (i - 24) / 4 + 0.0131),
  ...[-60, -24.5, -14.25, -9.5, -1e-3, 0, 1e-3, 9.5, 14.25, 24.5, 60],
];
/** Constants of a file are f32, and its terms may cancel: so far apart may two spellings be. In f16 they are rounded to three digits. */
const TOLERANCE = 3e-6;
const TOLERANCE_F16 = 1e-3;

/** How far apart two functions are at the most; NaN counts as far. */
function distance(f: Fn, g: Fn): number {
  let most = 0;
  for (const x of PLACES) {
    const [a, b] = [f(x), g(x)];
    const d = Math.abs(a - b) / (1 + Math.abs(b));
    if (!(d <= TOLERANCE_F16)) return Infinity;
    most = Math.max(most, d);
  }
  return most;
}

/** The activation that this is, by its number: the nearest, where it is near enough. */
export function kindOf(f: Fn, tolerance = TOLERANCE): number | undefined {
  let best: { kind: number; d: number } | undefined;
  for (const { kind, f: g } of Object.values(ACTIVATIONS)) {
    const d = distance(f, g);
    if (d <= tolerance && (best === undefined || d < best.d)) best = { kind, d };
  }
  return best?.kind;
}

/** m and c where f is m·x + c. */
function lineOf(f: Fn): { m: number; c: number } | undefined {
  const c = f(0);
  const m = (f(4) - f(-4)) / 8;
  return Number.isFinite(m) && Number.isFinite(c) && distance(f, (x) => m * x + c) <= TOLERANCE ? { m, c } : undefined;
}

/** Appends a function of `view`'s value, given as one of each value that it is a function of. */
export function applied(l: Lowering, view: View, pointwise: ReadonlyMap<number, Fn>): View {
  // The furthest value first: it makes the most of the chain needless.
  for (const [leaf, f] of [...pointwise].reverse()) {
    const kind = kindOf(f, l.isHalf ? TOLERANCE_F16 : TOLERANCE);
    const line = kind === undefined ? lineOf(f) : undefined;
    if (line && line.m === 1 && line.c === 0) return { ...view, value: leaf };
    const { shape } = l.steps[leaf]!;
    if (kind !== undefined) return { ...view, value: l.emit({ op: 'activation', inputs: [leaf], shape, a: { kind }, pointwise }) };
    if (line) return { ...view, value: l.emit({ op: 'line', inputs: [leaf], shape, a: { ...line }, pointwise }) };
  }
  const [nearest] = pointwise.keys();
  const { shape } = l.steps[nearest!]!;
  return { ...view, value: l.emit({ op: 'function', inputs: [nearest!], shape, pointwise, views: [view] }) };
}

export const apply = (l: Lowering, view: View, f: Fn): View => applied(l, view, composed(l.steps, view.value, f));

const plain =
  (f: (call: Call<Operand>) => Fn): Rule =>
  (call, l) => [apply(l, viewAt(call, 0), f(call))];

const erf: Fn = (x) => (x === 0 ? 0 : (2 * ACTIVATIONS.Gelu.f(x * Math.SQRT2)) / (x * Math.SQRT2) - 1);
const sigmoid = ACTIVATIONS.Sigmoid.f;
const clamp =
  (low: number, high: number): Fn =>
  (x) =>
    Math.min(Math.max(x, low), high);

function bound(call: Call<Operand>, i: number, attribute: string, preset: number): number {
  if (!call.has(i)) return call.float(attribute, preset);
  const value = scalarOf(call.constant(i));
  if (value === undefined) throw call.fault('has bounds of more than one number');
  return value;
}

export const functions: Readonly<Record<string, Rule>> = {
  Relu: plain(() => (x) => Math.max(x, 0)),
  Sigmoid: plain(() => sigmoid),
  Tanh: plain(() => Math.tanh),
  Erf: plain(() => erf),
  Exp: plain(() => Math.exp),
  Sqrt: plain(() => Math.sqrt),
  Reciprocal: plain(() => (x) => 1 / x),
  Neg: plain(() => (x) => -x),
  Abs: plain(() => Math.abs),
  Softplus: plain(() => ACTIVATIONS.Softplus.f),
  Mish: plain(() => ACTIVATIONS.Mish.f),
  Gelu: plain((call) => (call.text('approximate', 'none') === 'tanh' ? ACTIVATIONS.GeluTanh.f : ACTIVATIONS.Gelu.f)),
  HardSwish: plain(() => ACTIVATIONS.HardSwish.f),
  Swish: plain((call) => (x) => x * sigmoid(call.float('alpha', 1) * x)),
  HardSigmoid: plain((call) => (x) => clamp(0, 1)(Math.fround(call.float('alpha', 0.2)) * x + call.float('beta', 0.5))),
  LeakyRelu: plain((call) => (x) => (x > 0 ? x : call.float('alpha', 0.01) * x)),
  Elu: plain((call) => (x) => (x > 0 ? x : call.float('alpha', 1) * Math.expm1(x))),
  Selu: plain(
    (call) => (x) => call.float('gamma', ACTIVATIONS.Selu.f(1)) * (x > 0 ? x : call.float('alpha', 1.6732632423543772) * Math.expm1(x)),
  ),
  Clip: plain((call) => clamp(bound(call, 1, 'min', -Infinity), bound(call, 2, 'max', Infinity))),
};
