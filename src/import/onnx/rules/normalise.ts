/** Norms over channels, means, and softmax. */
import { axesOf, axisOf, type Call } from '../call.ts';
import { type Constant, constant, scalarOf } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { nameOf } from '../names.ts';
import { channelsOf, type Step, sizeOfStep } from '../steps.ts';
import { liesPlainly, rebased, sizeOf, type View } from '../view.ts';
import { areChannels, plusChannels, timesChannels } from './channels.ts';
import { plainCopy, viewAt } from './reorder.ts';

function layerNorm(call: Call<Operand>, l: Lowering): Operand[] {
  const given = viewAt(call, 0);
  const axis = axisOf(call, call.int('axis', -1), given.dims.length);
  if (axis !== given.dims.length - 1) throw call.fault('is a norm over more axes than the last');
  const view = areChannels(given, given.dims[axis]!, channelsOf(l.steps[given.value]!)) ? given : plainCopy(l, given);
  const step = l.steps[view.value]!;
  const gamma = call.constant(1);
  const c = gamma.shape.reduce((n, d) => n * d, 1);
  if (c !== channelsOf(step)) throw call.fault('is a norm over another number of channels', c, String(channelsOf(step)));
  const name = l.layer(nameOf(call.node));
  const value = l.emit({
    op: 'layerNorm',
    name,
    inputs: [view.value],
    shape: step.shape,
    a: { eps: call.float('epsilon', 1e-5) },
    params: {
      gamma: { name: `${name}.weight`, shape: [c], from: gamma },
      ...(call.has(2) ? { beta: { name: `${name}.bias`, shape: [c], from: call.constant(2) } } : {}),
    },
  });
  return [{ ...view, value }];
}

/** The mean over channels, over positions, or over both axes of a map. */
function mean(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const axes = axesOf(call, view.dims.length) ?? [...view.dims.keys()];
  const keep = call.int('keepdims', 1) !== 0;
  const gone = axes.flatMap((i) => view.dims[i]!).sort((a, b) => a - b);
  const step = l.steps[view.value]!;
  const left = view.axes.map((_, i) => i).filter((i) => !gone.includes(i));
  const dims = view.dims.flatMap((dim, i) => (axes.includes(i) ? (keep ? [[]] : []) : [dim]));
  if (areChannels(view, gone, channelsOf(step))) {
    const value = l.emit({ op: 'mean', inputs: [view.value], shape: step.shape.slice(0, -1) });
    return [{ kind: 'view', value, axes: left.map((i) => view.axes[i]!), dims }];
  }
  // Positions are what comes before the channels.
  if (!areChannels(view, left, channelsOf(step)) || !gone.every((axis, i) => axis === i))
    throw call.fault('is a mean over axes that are neither channels nor all positions');
  const c = channelsOf(step);
  const source = step.op === 'rows' ? step.inputs[0]! : view.value;
  const first = step.op === 'rows' ? step.a.first! : 0;
  const count = gone.reduce((n, i) => n * view.axes[i]!, 1);
  const value = l.emit({ op: 'pool', inputs: [source], shape: [c], a: { first, count } });
  return [{ kind: 'view', value, axes: left.map((i) => view.axes[i]!), dims: dims.map((dim) => dim.map((i) => left.indexOf(i))) }];
}

const isOf = (step: Step | undefined, op: string): step is Step => step?.op === op;

/** x̂ = (x − mean) / √(variance + eps), as older files spell it. */
export function quotient(l: Lowering, d: View, root: View): View | undefined {
  const [top, bottom] = [l.steps[d.value]!, l.steps[root.value]!];
  if (!isOf(top, 'two Sub')) return undefined;
  const [x, m] = top.inputs as [number, number];
  if (!isOf(l.steps[m], 'mean') || l.steps[m]!.inputs[0] !== x) return undefined;
  // √(v + eps) as a function of v, the mean of a square.
  for (const [v, f] of bottom.pointwise ?? []) {
    const [variance, eps] = [l.steps[v]!, f(0) ** 2];
    if (!isOf(variance, 'mean') || Math.abs(f(1) - Math.sqrt(1 + eps)) > 1e-6 || !(eps > 0)) continue;
    const square = l.steps[variance.inputs[0]!]!.pointwise?.get(d.value);
    if (square === undefined || ![0.5, -1.5, 3].every((t) => Math.abs(square(t) - t * t) < 1e-6)) continue;
    return { ...d, value: l.emit({ op: 'layerNorm', name: l.layer(), inputs: [x], shape: top.shape, a: { eps: Math.fround(eps) } }) };
  }
  return undefined;
}

/** ‖x‖ over channels, or over all positions. */
function length(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const axes = axesOf(call, view.dims.length) ?? [...view.dims.keys()];
  const keep = call.int('keepdims', 1) !== 0;
  const gone = axes.flatMap((i) => view.dims[i]!).sort((a, b) => a - b);
  const left = view.axes.map((_, i) => i).filter((i) => !gone.includes(i));
  const isLast = gone.every((axis, i) => axis === view.axes.length - gone.length + i);
  const isFirst = gone.every((axis, i) => axis === i);
  if (!isLast && !isFirst) throw call.fault('is a length over axes that are neither the last nor all positions');
  const shape = left.map((i) => view.axes[i]!);
  const value = l.emit({
    op: 'length',
    inputs: [view.value],
    shape,
    a: { last: isLast ? 1 : 0, width: gone.reduce((n, i) => n * view.axes[i]!, 1) },
  });
  const dims = view.dims.flatMap((dim, i) => (axes.includes(i) ? (keep ? [[]] : []) : [dim]));
  return [{ kind: 'view', value, axes: shape, dims: dims.map((dim) => dim.map((i) => left.indexOf(i))) }];
}

/** x / max(‖x‖, eps), or x / √(mean(x²) + eps), over the last axis. */
export function normalised(l: Lowering, x: View, root: View): View | undefined {
  const [step, bottom] = [l.steps[x.value]!, l.steps[root.value]!];
  for (const [leaf, f] of new Map([[root.value, (v: number) => v], ...(bottom.pointwise ?? [])])) {
    const source = l.steps[leaf]!;
    const width = source.op === 'length' && source.a.last ? source.a.width! : channelsOf(step);
    const rows = [sizeOfStep(step) / width, width];
    const found = (a: Record<string, number>): View => ({
      ...x,
      value: l.emit({
        op: 'rmsNorm',
        name: l.layer(),
        inputs: [x.value],
        shape: step.shape,
        a,
        wants: [rows],
      }),
    });
    if (source.op === 'length' && source.a.last && source.inputs[0] === x.value && Math.abs(f(3) - 3) < 1e-6)
      return found({ eps: Math.fround(f(0)), unit: 1 });
    if (source.op === 'length' && !source.a.last && source.inputs[0] === x.value && Math.abs(f(3) - 3) < 1e-6) {
      const over = overPositions(l, x, { width: source.a.width!, eps: Math.fround(f(0)) });
      if (over) return over;
    }
    const square = source.op === 'mean' ? l.steps[source.inputs[0]!]!.pointwise?.get(x.value) : undefined;
    const eps = f(0) ** 2;
    if (square && [0.5, -1.5, 3].every((t) => Math.abs(square(t) - t * t) < 1e-6) && Math.abs(f(1) - Math.sqrt(1 + eps)) < 1e-6)
      return found({ eps: Math.fround(eps), unit: 0 });
  }
  return undefined;
}

/** The same over positions (attention between channels): in a copy in which they lie last. */
function overPositions(l: Lowering, x: View, { width, eps }: { width: number; eps: number }): View | undefined {
  let first = 0;
  for (let n = 1; n < width && first < x.axes.length; first++) n *= x.axes[first]!;
  const order = [...x.axes.keys()].map((i) => (i + first) % x.axes.length);
  const value = l.ordered(x, order);
  const size = x.axes.reduce((n, d) => n * d, 1);
  if (x.axes.slice(0, first).reduce((n, d) => n * d, 1) !== width) return undefined;
  const rows = [size / width, width];
  return rebased(x, l.emit({ op: 'rmsNorm', name: l.layer(), inputs: [value], shape: rows, a: { eps, unit: 1 }, wants: [rows] }), order);
}

/** Instance norm over groups of channels: what group norms are exported as; one group, or as many as there are channels, are others' names. */
function instanceNorm(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const step = l.steps[view.value]!;
  const c = channelsOf(step);
  const [one = [], groups = [], ...rest] = view.dims;
  const g = sizeOf(view, groups);
  const channels = [...groups, ...rest.flat().filter((i) => areChannels(view, [...groups, i], c))];
  if (
    one.length > 0 ||
    !areChannels(
      view,
      [...channels].sort((a, b) => a - b),
      c,
    ) ||
    channels.some((axis, i) => i > 0 && axis < channels[i - 1]!)
  )
    throw call.fault('is a norm over instances of no map, which is not supported');
  const name = l.layer(nameOf(call.node));
  let out: View = {
    ...view,
    value: l.emit({ op: 'groupNorm', name, inputs: [view.value], shape: step.shape, a: { groups: g, eps: call.float('epsilon', 1e-5) } }),
  };
  const [factor, summand] = [call.constant(1), call.constant(2)];
  const isOne = scalarOf(factor) === 1 && scalarOf(summand) === 0;
  if (!isOne) {
    if (g !== c) throw call.fault('scales groups of channels, which is not supported');
    out = plusChannels(l, timesChannels(l, out, factor)!, summand)!;
  }
  return [out];
}

function softmax(call: Call<Operand>, l: Lowering): Operand[] {
  const given = viewAt(call, 0);
  const axis = axisOf(call, call.int('axis', call.opset < 13 ? 1 : -1), given.dims.length);
  if (axis !== given.dims.length - 1) throw call.fault('is a softmax over another axis than the last');
  const view = liesPlainly(given) ? given : plainCopy(l, given);
  const { shape } = l.steps[view.value]!;
  return [{ ...view, value: l.emit({ op: 'softmax', inputs: [view.value], shape, views: [view] }) }];
}

export const ones = (c: number): Constant => constant([c], false, () => new Float64Array(c).fill(1));
export const zeros = (c: number): Constant => constant([c], false, () => new Float64Array(c));

/** Exporters guard a softmax whose row is masked throughout: what is no number becomes 0. No mask here does that. */
function isNaNOf(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  return [{ ...view, value: l.emit({ op: 'isNaN', inputs: [view.value], shape: l.steps[view.value]!.shape }) }];
}

function where(call: Call<Operand>, l: Lowering): Operand[] {
  const [test, other] = [call.at(0), call.at(2)];
  const isGuard =
    test.kind === 'view' &&
    other.kind === 'view' &&
    l.steps[test.value]!.op === 'isNaN' &&
    l.steps[test.value]!.inputs[0] === other.value &&
    call.at(1).kind === 'constant';
  if (!isGuard) throw call.fault('chooses by what follows from the picture, which is not supported');
  return [other];
}

export const normalise: Readonly<Record<string, Rule>> = {
  IsNaN: isNaNOf,
  Where: where,
  LayerNormalization: layerNorm,
  ReduceMean: mean,
  ReduceL2: length,
  InstanceNormalization: instanceNorm,
  Softmax: softmax,
  LogSoftmax: softmax,
};
