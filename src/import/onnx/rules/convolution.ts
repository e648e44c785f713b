/** Convolutions, batch norm and pooling. */
import { type Call, intsOf } from '../call.ts';
import { type Constant, constant, reshaped } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { layerOfWeight, nameOf } from '../names.ts';
import { channelsOf, type Param } from '../steps.ts';
import { channelsFirst, sizeOf, type View } from '../view.ts';
import { areChannels, channelLayer, folded } from './channels.ts';
import { viewAt } from './reorder.ts';

/** A window along one axis: where it begins before the first element, and how many outputs it gives. */
interface Span {
  kernel: number;
  stride: number;
  before: number;
  /** Padding behind, where it is stated. */
  after: number;
  /** Distance between taps. */
  gap: number;
  out: number;
}

/** The windows of a convolution or a pooling on a map of h × w. */
function spans(
  call: Call<Operand>,
  size: readonly [number, number],
  kernel: readonly number[],
  padded: readonly [number, number] = [0, 0],
): [Span, Span] {
  const strides = call.ints('strides') ?? [1, 1];
  const dilations = call.ints('dilations') ?? [1, 1];
  const pads = call.ints('pads') ?? [0, 0, 0, 0];
  const mode = call.text('auto_pad', 'NOTSET');
  const ceil = call.int('ceil_mode', 0) !== 0;
  if (kernel.length !== 2 || strides.length !== 2 || pads.length !== 4) throw call.fault('is not over two axes, height and width');
  if (pads.some((p) => p < 0)) throw call.fault('pads by less than nothing', `[${pads}]`);
  const span = (axis: 0 | 1): Span => {
    const [taps, stride, n, gap] = [kernel[axis]!, strides[axis]!, size[axis], dilations[axis] ?? 1];
    const k = gap * (taps - 1) + 1;
    if (!(k >= 1 && stride >= 1)) throw call.fault('has a wrong window', `${k} taps, stride ${stride}`);
    if (mode.startsWith('SAME')) {
      const out = Math.ceil(n / stride);
      const total = Math.max((out - 1) * stride + k - n, 0);
      const first = mode === 'SAME_UPPER' ? total >> 1 : total - (total >> 1);
      return { kernel: taps, stride, gap, out, before: first + padded[axis], after: total - first };
    }
    const [before, after] = mode === 'VALID' ? [0, 0] : [pads[axis]!, pads[axis + 2]!];
    const steps = (n + before + after - k) / stride;
    let out = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // The last window begins within the map or its padding before.
    if (ceil && (out - 1) * stride >= n + before) out--;
    if (out < 1) throw call.fault('is larger than what it goes over', `${k} taps on ${n + before + after}`);
    return { kernel: taps, stride, gap, before: before + padded[axis], after, out };
  };
  return [span(0), span(1)];
}

/** A map, lying as [H, W, C]. */
export function mapOf(call: Call<Operand>, l: Lowering, view: View): { value: number; size: readonly [number, number, number] } {
  if (view.dims.length !== 4 || view.dims[0]!.length > 0)
    throw call.fault('reads no map of one picture', `${view.dims.length} axes`, '4: one picture, channels, height, width');
  const [, c, h, w] = view.dims as [number[], number[], number[], number[]];
  const value = l.ordered(view, [...h, ...w, ...c]);
  return { value, size: [sizeOf(view, h), sizeOf(view, w), sizeOf(view, c)] };
}

const windowOf = ([v, u]: readonly [Span, Span]): Record<string, number> => ({
  r: v.kernel,
  s: u.kernel,
  stride: v.stride,
  top: v.before,
  left: u.before,
  oh: v.out,
  ow: u.out,
});

/** The name of a layer: its weight's own where a module gave that, else its node's module. */
export function layerName(l: Lowering, call: Call<Operand>, weight: Constant): string {
  return l.layer(layerOfWeight(weight.stored?.tensor.name) ?? nameOf(call.node));
}

function conv(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const weight = call.constant(1);
  const { value: map, size } = mapOf(call, l, view);
  const [h, w, c] = size;
  // Zeros around a map are what a convolution reads beyond its edge anyway.
  const pad = l.steps[map]!.op === 'pad' ? l.steps[map]! : undefined;
  const value = pad ? pad.inputs[0]! : map;
  const grown: [number, number] = pad ? [pad.a.top! + pad.a.bottom!, pad.a.left! + pad.a.right!] : [0, 0];
  const [o, i, r, s] = weight.shape as [number, number, number, number];
  const groups = call.int('group', 1);
  if (weight.shape.length !== 4 || i * groups !== c || o % groups !== 0)
    throw call.fault('has a weight that does not fit its input', `[${weight.shape}] in ${groups} groups on ${c} channels`);
  const found = spans(call, [h, w], [r, s], pad && [pad.a.top!, pad.a.left!]);
  const name = layerName(l, call, weight);
  const params: Record<string, Param> = { weight: { name: `${name}.weight`, shape: weight.shape, from: weight } };
  if (call.has(2)) {
    const bias = call.constant(2);
    params.bias = { name: `${name}.bias`, shape: [o], from: reshaped(bias, [o]) };
  }
  const isPoint = !pad && r === 1 && s === 1 && found[0].stride === 1 && groups === 1 && found[0].out === h && found[1].out === w;
  if (isPoint) {
    const { shape } = l.steps[value]!;
    const id = l.emit({ op: 'linear', name, inputs: [value], shape: [...shape.slice(0, -1), o], a: { pointwise: 1 }, params });
    return [channelsFirst(id, [h, w, o])];
  }
  const shape = [found[0].out, found[1].out, o];
  const isSimple = found.every(({ gap }) => gap === 1) && found[0].stride === found[1].stride;
  const depthwise = isSimple && groups === c && o === c && groups > 1 ? 1 : 0;
  const isGrouped = !isSimple || (groups > 1 && !depthwise);
  const a = isGrouped ? { ...windowOf(found), ...distancesOf(found), groups } : { ...windowOf(found), depthwise };
  const id = l.emit({
    op: isGrouped ? 'groupConv' : 'conv',
    name,
    inputs: [value],
    shape,
    a,
    params,
    wants: [[h - grown[0], w - grown[1], c]],
  });
  return [channelsFirst(id, [found[0].out, found[1].out, o])];
}

/** Strides and distances between taps, down and across. */
const distancesOf = ([v, u]: readonly [Span, Span]): Record<string, number> => ({
  stepY: v.stride,
  stepX: u.stride,
  down: v.gap,
  across: u.gap,
});

function batchNorm(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  if (call.int('training_mode', 0) !== 0) throw call.fault('is a batch norm in training mode', undefined, 'an export of model.eval()');
  const channels = view.dims[1] ?? [];
  const step = l.steps[view.value]!;
  if (!areChannels(view, channels, channelsOf(step))) throw call.fault('is a batch norm over other axes than the channels');
  const eps = call.float('epsilon', 1e-5);
  const own = (i: number, key: string): Param => {
    const from = call.constant(i);
    const name = from.stored?.tensor.name;
    return {
      name: name !== undefined && /^[A-Za-z_][\w.]*$/.test(name) ? l.layer(name) : l.layer(`${nameOf(call.node)}.${key}`),
      shape: from.shape,
      from,
    };
  };
  const params = { gamma: own(1, 'weight'), beta: own(2, 'bias'), mean: own(3, 'running_mean'), variance: own(4, 'running_var') };
  const before = folded(l, view, params, eps);
  if (before) return [before];
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => call.constant(i)) as [Constant, Constant, Constant, Constant];
  const factor = constant(gamma.shape, false, () => {
    const v = variance.numbers();
    return gamma.numbers().map((g, i) => g / Math.sqrt(v[i]! + eps));
  });
  const summand = constant(gamma.shape, false, () => {
    const [f, m] = [factor.numbers(), mean.numbers()];
    return beta.numbers().map((b, i) => b - f[i]! * m[i]!);
  });
  return [channelLayer(l, view, factor, summand)];
}

/** Zeros around a map, for the convolution or the windows that read it. */
function pad(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const rank = view.dims.length;
  const pads = intsOf(call, 1, 'pads') ?? [];
  const axes = call.has(3) ? [...call.constant(3).numbers()].map((a) => (a < 0 ? a + rank : a)) : [...Array(rank).keys()];
  const [before, after] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  axes.forEach((axis, i) => {
    [before[axis], after[axis]] = [pads[i]!, pads[i + axes.length]!];
  });
  if (pads.every((p) => p === 0)) return [view];
  const value = call.has(2) ? call.constant(2).numbers()[0]! : call.float('value', 0);
  if (call.text('mode', 'constant') !== 'constant' || value !== 0)
    throw call.fault('pads by something else than zeros, which is not supported');
  const wide = [...before.keys()].filter((i) => before[i] !== 0 || after[i] !== 0);
  const isMap = view.axes.length === 3 && wide.every((i) => view.dims[i]!.length === 1 && view.dims[i]![0]! < 2);
  if (!isMap || pads.some((p) => p < 0))
    throw call.fault('pads other axes than the height and width of a map, which is not supported', `[${pads}]`);
  const sides: [number, number][] = [0, 1].map((axis) => {
    const i = view.dims.findIndex((dim) => dim[0] === axis && dim.length === 1);
    return i < 0 ? [0, 0] : [before[i]!, after[i]!];
  }) as [number, number][];
  const [[top, bottom], [left, right]] = sides as [[number, number], [number, number]];
  const shape = [view.axes[0]! + top + bottom, view.axes[1]! + left + right, view.axes[2]!];
  return [
    {
      ...view,
      axes: shape,
      value: l.emit({ op: 'pad', inputs: [view.value], wants: [view.axes], shape, a: { top, bottom, left, right } }),
    },
  ];
}

/** The mean over a whole map. */
function globalPool(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const [, channels = [], ...places] = view.dims;
  if (view.dims.length < 3 || view.dims[0]!.length > 0) throw call.fault('reads no map of one picture', `${view.dims.length} axes`);
  const value = l.ordered(view, [...places.flat(), ...channels]);
  const c = sizeOf(view, channels);
  const id = l.emit({ op: 'pool', inputs: [value], shape: [c], a: { first: 0, count: sizeOf(view, places.flat()) } });
  return [{ kind: 'view', value: id, axes: c === 1 ? [] : [c], dims: [[], c === 1 ? [] : [0], ...places.map(() => [])] }];
}

function windowPool(op: 'maxPool' | 'averagePool'): Rule {
  return (call, l) => {
    const view = viewAt(call, 0);
    const { value, size } = mapOf(call, l, view);
    const [h, w, c] = size;
    const kernel = call.ints('kernel_shape') ?? [];
    const found = spans(call, [h, w], kernel);
    if (call.node.outputs.filter((name) => name !== '').length > 1) throw call.fault('gives where its maxima are, which is not supported');
    const isWhole = kernel[0] === h && kernel[1] === w && found.every(({ out, before }) => out === 1 && before === 0);
    if (op === 'averagePool' && isWhole) return globalPool(call, l);
    if (op === 'maxPool' && kernel[0]! * kernel[1]! > 16) throw call.fault('has too many taps', `${kernel[0]}x${kernel[1]}`, 'at most 16');
    const wants = [[h, w, c]];
    const shape = [found[0].out, found[1].out, c];
    if (op === 'maxPool') {
      if (found.some(({ gap }) => gap > 1) || found[0].stride !== found[1].stride)
        throw call.fault('is a maximum with gaps or of two strides, which is not supported');
      return [channelsFirst(l.emit({ op, inputs: [value], shape, a: windowOf(found), wants }), [shape[0]!, shape[1]!, c])];
    }
    const padded = call.int('count_include_pad', 0) !== 0 ? 1 : 0;
    const a = { ...windowOf(found), ...distancesOf(found), bottom: found[0].after, right: found[1].after, padded };
    if (found.some(({ gap }) => gap > 1)) throw call.fault('is a mean with gaps, which is not supported');
    return [channelsFirst(l.emit({ op, inputs: [value], shape, a, wants }), [shape[0]!, shape[1]!, c])];
  };
}

export const convolution: Readonly<Record<string, Rule>> = {
  Conv: conv,
  Pad: pad,
  BatchNormalization: batchNorm,
  GlobalAveragePool: globalPool,
  AveragePool: windowPool('averagePool'),
  MaxPool: windowPool('maxPool'),
};
