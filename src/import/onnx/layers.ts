/** What each step is in the graph: by the layers that every family is built of, and by operators as they are. */
import { elements } from '../../base/tensor.ts';
import { ABSENT, type Layout, lastDim, numel, shapeOf } from '../../graph/graph.ts';
import { append, type Builder, flat, type Projection, rowwise, weight, whole } from '../../network/builder.ts';
import { activation, adapted, add, biasOf, pool, residual } from '../../network/layer.ts';
import { emit } from '../../ops/index.ts';
import type { Windows } from '../../ops/window.ts';
import type { Param, Step } from './steps.ts';

/** The layer that a step's weight names. */
export const layerOf = (step: Step): string => step.params.weight!.name.replace(/\.weight$/, '');

/** A picture's numbers as one row. */
export const flattened = (b: Builder, x: number): number => (shapeOf(b.graph, x).length === 2 ? x : pool(b, x, 'flatten', 0, 1));

export function build(b: Builder, step: Step, ids: ReadonlyMap<number, number>, role: Projection | undefined): number {
  const inputs = step.inputs.map((i, k) => wanted(b, ids.get(i)!, step, k));
  const [x] = inputs as [number];
  const { a, name } = step;
  const at = `${name}.${step.op}${ids.size}`;
  switch (step.op) {
    case 'conv':
      return conv(b, x, step);
    case 'groupConv':
      return groupConv(b, x, step);
    case 'linear':
      return linear(b, x, step, role);
    case 'activation':
      return activation(b, x, at, a.kind!);
    case 'add':
      return sum(b, step, ids, at);
    case 'times':
      return append(b, 'Multiply', at, [x, alike(b, x, inputs[1]!)]);
    case 'scale':
      return add(b, x, x, at, a.m! / 2);
    case 'affine':
      return affine(b, x, step);
    case 'gate':
      return append(b, 'Gate', at, inputs);
    case 'layerNorm':
    case 'rmsNorm':
    case 'groupNorm':
    case 'responseNorm':
      return norm(b, x, step, at);
    case 'pad':
      return inShape(b, append(b, 'WindowPartition', at, [x], padding(step)), step.shape);
    case 'pool':
      return pool(b, x, at, a.first, a.count);
    case 'maxPool':
      return append(b, 'MaxPool', at, [x], window(a));
    case 'averagePool':
      return append(b, 'AveragePool', at, [x], { ...window(a), ...picked(a, ['stepY', 'stepX', 'bottom', 'right', 'padded']) });
    case 'resize':
      return append(b, 'Resize', at, [x], a);
    case 'transpose':
      return transpose(b, x, step, at);
    case 'concat':
      return append(b, 'Concat', at, inputs, { axis: a.axis! - step.shape.length });
    case 'rows':
      return append(b, 'Slice', at, [x], { axis: -2, from: a.first!, count: a.count! });
    case 'slice':
      return append(b, 'Slice', at, [x], { axis: a.axis! - step.shape.length, from: a.from!, count: a.count! });
    case 'embed':
      return embed(b, x, step);
    case 'attention':
      return attention(b, inputs, step);
    case 'crossAttention':
      return crossAttention(b, inputs, step);
    case 'partition':
    case 'reverse':
      return append(b, step.op === 'partition' ? 'WindowPartition' : 'WindowReverse', at, [x], a);
    default:
      throw new RangeError(`onnx: no layer for ${step.op}`);
  }
}

function norm(b: Builder, x: number, step: Step, at: string): number {
  const { a, name } = step;
  switch (step.op) {
    case 'layerNorm':
      return append(b, 'LayerNorm', name, [x, scaleOf(b, step, 'gamma'), shiftOf(b, step, 'beta')], { eps: a.eps! });
    case 'rmsNorm':
      return inShape(b, append(b, 'RmsNorm', at, [x, scaleOf(b, step, 'gamma')], picked(a, ['eps', 'unit'])), step.shape);
    case 'groupNorm': {
      const stats = append(b, 'GroupStats', `${at}.stats`, [x], { groups: a.groups!, eps: a.eps! });
      return append(b, 'GroupNorm', at, [x, stats, scaleOf(b, step, 'gamma'), shiftOf(b, step, 'beta')]);
    }
    case 'responseNorm': {
      const stats = append(b, 'ResponseStats', `${at}.stats`, [x]);
      return append(b, 'ResponseNorm', at, [x, stats, scaleOf(b, step, 'gamma'), shiftOf(b, step, 'beta')], { eps: a.eps! });
    }
  }
  throw new RangeError(`onnx: no norm ${step.op}`);
}

/** Input `k` in the shape that the step reads it in. Of attention's [windows, positions, channels] the windows are pictures of their own. */
function wanted(b: Builder, x: number, step: Step, k: number): number {
  const { op, wants } = step;
  const shape = wants?.[k];
  if (shape === undefined) return byChannel(b, x, step, k);
  const apart = op === 'attention' || op === 'crossAttention' ? shape.slice(1) : shape;
  return inShape(b, x, apart);
}

const BY_CHANNEL: readonly string[] = ['layerNorm', 'affine', 'groupNorm', 'responseNorm', 'gate'];

/** A layer that works by channel reads rows of all of them. */
function byChannel(b: Builder, x: number, { op, params, shape }: Step, k: number): number {
  const width = op === 'linear' ? params.weight!.shape[1]! : BY_CHANNEL.includes(op) && k === 0 ? shape.at(-1)! : lastDim(b.graph, x);
  return width === lastDim(b.graph, x) ? x : inShape(b, x, [...shape.slice(0, -1), width]);
}

/** The same numbers as [pictures, …shape]. */
function inShape(b: Builder, x: number, shape: readonly number[]): number {
  const own = shapeOf(b.graph, x);
  if (own.length === shape.length + 1 && shape.every((d, i) => d === own[i + 1])) return x;
  const pictures = numel(own) / elements(shape);
  const to = [pictures, ...shape];
  return append(b, 'Reshape', `shape.${x}`, [x], { shape: to });
}

/** The view's axes in another order. */
function transpose(b: Builder, x: number, { a, views, shape }: Step, name: string): number {
  const { axes } = views![0]!;
  const pictures = numel(shapeOf(b.graph, x)) / elements(axes);
  const perm = [0, ...axes.map((_, i) => a[`axis${i}`]! + 1)];
  return append(b, 'Rearrange', name, [x], { dims: [pictures, ...axes], perm, shape: [pictures, ...shape] });
}

/** Zeros around a map: one window that is larger than it, rolled so far that the rest lies on both sides. */
function padding({ a, shape }: Step): Windows {
  const [h, w, c] = shape as [number, number, number];
  const own = { h: h - a.top! - a.bottom!, w: w - a.left! - a.right!, c };
  return { ...own, wh: h, ww: w, rows: 1, columns: 1, sy: (h - a.top!) % h, sx: (w - a.left!) % w, modh: h, modw: w, merge: 0 };
}

const picked = (a: Step['a'], names: readonly string[]): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, a[name]!]));

/** Numbers by channel that multiply, and that are added; absent where the step has none. */
const vectorOf = (b: Builder, param: Param | undefined, kind: 'scale' | 'bias', isFrozen: boolean): number =>
  param === undefined
    ? ABSENT
    : weight(b, {
        name: param.name,
        shape: [elements(param.shape)],
        kind,
        source: whole(param.name, param.shape),
        ...(isFrozen ? { role: 'frozen' as const } : {}),
      });
const scaleOf = (b: Builder, step: Step, key: string): number => vectorOf(b, step.params[key], 'scale', step.a.frozen === 1);
const shiftOf = (b: Builder, step: Step, key: string): number => vectorOf(b, step.params[key], 'bias', step.a.frozen === 1);

const affine = (b: Builder, x: number, step: Step): number =>
  append(b, 'Affine', step.name, [x, scaleOf(b, step, 'scale'), shiftOf(b, step, 'shift')]);

const window = ({ r, s, stride, top, left, oh, ow }: Step['a']): Record<string, number> =>
  ({ r, s, stride, top, left, oh, ow }) as Record<string, number>;

/** Folds what follows a layer channel by channel into its weight and bias, once, before the first step. */
function fold(b: Builder, step: Step, w: number, bias: number, depthwise: number): void {
  if (step.a.fold0 === undefined) return;
  const c = shapeOf(b.graph, bias)[0]!;
  for (let n = 0; step.a[`fold${n}`] !== undefined; n++) {
    const names = ['gamma', 'beta', 'mean', 'variance'].map((key) => step.params[`fold${n}.${key}`]?.name);
    const [first] = names.filter((name) => name !== undefined);
    if (first === undefined || b.weights.has(first)) continue;
    const inputs = names.map((name) =>
      name === undefined ? ABSENT : weight(b, { name, shape: [c], kind: 'scale', role: 'temp', source: whole(name, [c]) }),
    );
    emit(b.graph, 'FoldBatchNorm', `${first}.fold`, inputs, { eps: step.a[`fold${n}`]!, depthwise }, { phase: 'init', updates: [w, bias] });
  }
}

/** A layer's bias: the file's; one for what is folded into it; else the method's. */
function biasFor(b: Builder, step: Step, n: number, options: Parameters<typeof biasOf>[3] = {}): number {
  const layer = layerOf(step);
  if (step.params.bias === undefined && step.a.fold0 !== undefined) return weight(b, { name: `${layer}.bias`, shape: [n], kind: 'bias' });
  return biasOf(b, layer, n, { ...options, bias: step.params.bias !== undefined });
}

function conv(b: Builder, x: number, step: Step): number {
  const { a, params } = step;
  const file = params.weight!.shape as [number, number, number, number];
  const [o, i, r, s] = file;
  const depthwise = a.depthwise === 1;
  const area = r * s;
  const layout: Layout = depthwise
    ? { shape: file, dims: [o, 1, area], strides: [1, 0, o] }
    : { shape: file, dims: [o, i, area], strides: [area * i, 1, i] };
  const { name } = params.weight!;
  const isFirst = x === b.input;
  const w = weight(b, {
    name,
    shape: depthwise ? [r, s, o] : [o, r, s, i],
    kind: 'weight',
    source: { tensor: name, start: 0, ...layout },
    ...(depthwise || isFirst ? {} : { layer: 'convolution' as const }),
  });
  const bias = biasFor(b, step, o);
  fold(b, step, w, bias, depthwise ? 1 : 0);
  return append(b, depthwise ? 'Depthwise' : 'Conv', layerOf(step), [x, w, bias], window(a));
}

function linear(b: Builder, x: number, step: Step, role: Projection | undefined): number {
  const { a, params } = step;
  const file = params.weight!.shape;
  const [of, k] = [file[0]!, file[1]!];
  const n = step.shape.at(-1)!;
  const rows = a.start === undefined ? undefined : { start: a.start, of };
  const suffix = rows ? `[${rows.start}:${rows.start + n}]` : '';
  const name = layerOf(step);
  const own = { ...whole(params.weight!.name, file), start: (rows?.start ?? 0) * k, ...rowwise(n, k) };
  const w = weight(b, {
    name: `${name}.weight${suffix}`,
    shape: [n, k],
    kind: 'weight',
    source: own,
    layout: a.pointwise ? { shape: file, dims: [n, k, 1], strides: [k, 1, k] } : { shape: [n, k], ...flat([n, k]) },
    layer: a.pointwise ? 'convolution' : 'linear',
  });
  const bias = biasFor(b, step, n, { ...(rows ? { rows } : {}), ...(role === 'key' ? { biasNeverLearns: true } : {}) });
  fold(b, step, w, bias, 0);
  const input = step.shape.length === 1 ? flattened(b, x) : x;
  const y = append(b, 'Linear', `${name}${suffix}`, [input, w, bias], a.pointwise ? { pointwise: 1 } : {});
  return adapted(b, input, y, `${name}${suffix}`, role);
}

/** The sum of a block's input and of what it makes of it may leave that out for some pictures; the older value is the input. */
function sum(b: Builder, { inputs }: Step, ids: ReadonlyMap<number, number>, name: string): number {
  const [older, newer] = [...inputs].sort((x, y) => x - y).map((i) => ids.get(i)!) as [number, number];
  const { index, count } = b.block;
  const shaped = alike(b, older, newer);
  return index >= 0 && index < count ? residual(b, older, shaped, name) : add(b, older, shaped, name);
}

/** `y` in the shape of `x`: the same rows, seen as a map or as a sequence. */
const alike = (b: Builder, x: number, y: number): number => inShape(b, y, shapeOf(b.graph, x).slice(1));

function embed(b: Builder, x: number, { params }: Step): number {
  const load = (key: string, shape: readonly number[]): number => {
    const param = params[key];
    return param ? weight(b, { name: param.name, shape, kind: 'embedding', source: whole(param.name, param.shape) }) : ABSENT;
  };
  const c = lastDim(b.graph, x);
  // The operator adds positions always; without any they are zeros, which never learn.
  const t = numel(shapeOf(b.graph, x).slice(1, -1));
  const none = params.pos ? ABSENT : weight(b, { name: `embeddings.none.${t}`, shape: [t, c], kind: 'embedding', role: 'frozen' });
  return append(b, 'Embed', `embeddings.${t}`, [
    x,
    load('cls', [c]),
    load('dist', [c]),
    params.pos ? load('pos', [params.pos.shape[1]!, c]) : none,
  ]);
}

function attention(b: Builder, inputs: number[], { a, name, params }: Step): number {
  const { table } = params;
  const heads = picked(a, ['heads', 'scale']);
  if (table === undefined) return append(b, 'Attention', `${name}.attention`, inputs, heads);
  const bias = weight(b, { name: table.name, shape: table.shape, kind: 'weight', source: whole(table.name, table.shape) });
  return append(b, 'Attention', `${name}.attention`, [...inputs, bias], {
    ...heads,
    ...picked(a, ['wh', 'ww', 'rows', 'columns', 'sy', 'sx']),
  });
}

function crossAttention(b: Builder, inputs: number[], { a, name, params }: Step): number {
  const { bias } = params;
  const added = bias ? weight(b, { name: bias.name, shape: bias.shape, kind: 'weight', source: whole(bias.name, bias.shape) }) : ABSENT;
  return append(b, 'CrossAttention', `${name}.attention`, [...inputs, added, ABSENT], picked(a, ['heads', 'pairs', 'scale']));
}

function groupConv(b: Builder, x: number, step: Step): number {
  const { a, params } = step;
  const file = params.weight!.shape as [number, number, number, number];
  const [o, i, r, s] = file;
  const { name } = params.weight!;
  const layout: Layout = { shape: file, dims: [o, i, r * s], strides: [r * s * i, 1, i] };
  const w = weight(b, { name, shape: [o, r, s, i], kind: 'weight', source: { tensor: name, start: 0, ...layout }, layer: 'convolution' });
  const bias = biasFor(b, step, o);
  fold(b, step, w, bias, 0);
  const more = picked(a, ['stepY', 'stepX', 'down', 'across', 'groups', 'top', 'left', 'oh', 'ow', 'r', 's']);
  return append(b, 'GroupConv', layerOf(step), [x, w, bias], more);
}
