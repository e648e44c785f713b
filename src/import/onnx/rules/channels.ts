/** Numbers by channel that multiply a value or are added to it: taken into the layer before wherever one can take them. */
import type { Call } from '../call.ts';
import { type Constant, constant, reshaped, strides, walk } from '../constant.ts';
import type { Lowering, Operand } from '../lower.ts';
import { channelsOf, type Param, type Step } from '../steps.ts';
import { shapeOfView, type View } from '../view.ts';

/** `c`, which is broadcast to a view, in the order of the view's value; undefined where it does not fit. */
export function laidOut(view: View, c: Constant): { numbers: Constant; axes: number[] } | undefined {
  const shape = shapeOfView(view);
  const own = c.shape.length > shape.length ? c.shape.slice(c.shape.length - shape.length) : c.shape;
  if (c.shape.slice(0, c.shape.length - own.length).some((d) => d !== 1)) return undefined;
  const offset = shape.length - own.length;
  if (own.some((d, i) => d !== 1 && d !== shape[i + offset])) return undefined;
  /** Axes along which it varies. */
  const axes = view.dims.flatMap((dim, i) => (i >= offset && own[i - offset] !== 1 ? dim : [])).sort((a, b) => a - b);
  const small = reshaped(c, own);
  const numbers = constant(
    axes.map((i) => view.axes[i]!),
    false,
    () => {
      // Steps of each axis within the constant's own elements.
      const own2 = strides(own);
      const steps = new Map<number, number>();
      view.dims.forEach((dim, i) => {
        let step = i >= offset && own[i - offset] !== 1 ? own2[i - offset]! : 0;
        for (const axis of [...dim].reverse()) {
          steps.set(axis, step);
          step *= view.axes[axis]!;
        }
      });
      const from = small.numbers();
      return Float64Array.from(
        walk(
          axes.map((i) => view.axes[i]!),
          axes.map((i) => steps.get(i)!),
        ),
        (at) => from[at]!,
      );
    },
  );
  // In the constant's own order nothing has to be moved.
  const isOwn = view.dims
    .flat()
    .filter((axis) => axes.includes(axis))
    .every((axis, i) => axis === axes[i]);
  return { numbers: isOwn ? reshaped(small, numbers.shape) : numbers, axes };
}

/** Do these axes make up the channels of a view's value, all of them? */
export function areChannels(view: View, axes: readonly number[], channels: number): boolean {
  const first = view.axes.length - axes.length;
  return axes.every((axis, i) => axis === first + i) && axes.reduce((n, i) => n * view.axes[i]!, 1) === channels;
}

const FOLDED = ['conv', 'linear'];
const TAKES_FACTOR = ['layerNorm', 'rmsNorm', 'groupNorm', 'response'];
const TAKES_SUMMAND = ['layerNorm', 'groupNorm', 'response'];

const folds = (step: Step): number => Object.keys(step.a).filter((key) => /^fold\d+$/.test(key)).length;

/** A layer with one more set of numbers folded into its weight and bias: a batch norm's, or a factor's or a summand's alone. */
export function folded(l: Lowering, view: View, given: Readonly<Record<string, Param>>, eps: number): View | undefined {
  const step = l.steps[view.value]!;
  if (!FOLDED.includes(step.op) || l.shared.has(view.value)) return undefined;
  const n = folds(step);
  const params = Object.fromEntries(Object.entries(given).map(([key, param]) => [`fold${n}.${key}`, param]));
  return replaced(l, view, { ...step, a: { ...step.a, [`fold${n}`]: eps }, params: { ...step.params, ...params } });
}

export function replaced(l: Lowering, view: View, step: Step): View {
  return { ...view, value: l.emit({ ...step, a: step.a, params: step.params }) };
}

/** y = x · c by channel. */
export function timesChannels(l: Lowering, view: View, c: Constant): View | undefined {
  const step = l.steps[view.value]!;
  if (l.shared.has(view.value)) return undefined;
  const vector = reshaped(c, [channelsOf(step)]);
  if (TAKES_FACTOR.includes(step.op) && !step.params.gamma && !step.params.beta)
    return replaced(l, view, { ...step, params: { gamma: { name: `${step.name}.weight`, shape: vector.shape, from: vector } } });
  return folded(l, view, { gamma: { name: l.layer(`${step.name}.scale`), shape: vector.shape, from: vector } }, 0);
}

/** y = x + c by channel. */
export function plusChannels(l: Lowering, view: View, c: Constant): View | undefined {
  const step = l.steps[view.value]!;
  if (l.shared.has(view.value)) return undefined;
  const vector = reshaped(c, [channelsOf(step)]);
  const bias = { name: `${step.name}.bias`, shape: vector.shape, from: vector };
  if (TAKES_SUMMAND.includes(step.op) && !step.params.beta) return replaced(l, view, { ...step, params: { ...step.params, beta: bias } });
  if (!FOLDED.includes(step.op)) return undefined;
  if (!step.params.bias && folds(step) === 0) return replaced(l, view, { ...step, params: { ...step.params, bias } });
  return folded(l, view, { beta: { ...bias, name: l.layer(`${step.name}.shift`) } }, 0);
}

/** A factor and a summand by channel as a layer of its own. */
export function channelLayer(l: Lowering, view: View, factor: Constant | undefined, summand: Constant | undefined): View {
  const step = l.steps[view.value]!;
  const c = channelsOf(step);
  const name = l.layer();
  const own = (key: string, from: Constant | undefined): Record<string, Param> =>
    from ? { [key]: { name: `${name}.${key === 'scale' ? 'weight' : 'bias'}`, shape: [c], from: reshaped(from, [c]) } } : {};
  const params = { ...own('scale', factor), ...own('shift', summand) };
  return { ...view, value: l.emit({ op: 'affine', name, inputs: [view.value], shape: step.shape, params }) };
}

/** A constant that is broadcast to a view. */
export function fitted(call: Call<Operand>, view: View, c: Constant): { numbers: Constant; axes: number[] } {
  const found = laidOut(view, c);
  if (found === undefined) throw call.fault('operands do not fit each other', `[${shapeOfView(view)}] and [${c.shape}]`);
  return found;
}
