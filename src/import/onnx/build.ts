/** A file's network in the graph: each step by the layers that every family is built of. */
import { ABSENT, type Layout, lastDim, shapeOf } from '../../graph/graph.ts';
import { depthOf } from '../../network/blocks.ts';
import { append, type Builder, flat, PROJECTIONS, type Projection, rowwise, weight, whole } from '../../network/builder.ts';
import { enterBlock, leaveBlocks } from '../../network/entry.ts';
import { activation, adapted, add, biasOf, classifier, pool, residual } from '../../network/layer.ts';
import { emit } from '../../ops/index.ts';
import type { Windows } from '../../ops/window.ts';
import type { Family } from '../family.ts';
import type { Network } from './network.ts';
import type { Step } from './steps.ts';

export interface Onnx {
  image: readonly [number, number];
  network: Network;
}

/** What a graph needs of a family; its head is named by its nodes. */
export const ONNX: Family<Onnx> = { title: 'ONNX', readers: [], build: onnx, heads: () => [], check: () => {} };

/** What a linear layer is in attention, by the value that it makes. */
function projections(steps: readonly Step[]): Map<number, Projection> {
  const roles = new Map<number, Projection>();
  for (const { op, inputs } of steps) if (op === 'attention') for (const [i, id] of inputs.entries()) roles.set(id, PROJECTIONS[i]!);
  return roles;
}

/** x: pixels [B,H,W,3]; returns logits [B,classes]. */
export function onnx(b: Builder, x: number, { network }: Onnx, classes: number): number {
  const { steps, features } = network;
  const own = network.blocks;
  const roles = projections(steps);
  const ids = new Map<number, number>();
  const tokens = steps.find(({ op }) => op === 'embed');
  const extraTokens = tokens ? ['cls', 'dist'].filter((key) => tokens.params[key]).length : 0;
  const patches = tokens && steps[tokens.inputs[0]!]!.shape;
  const count = depthOf(b.method, own.length);
  const blocks = {
    count,
    extraTokens,
    ...(patches?.length === 3 ? { grid: patches.slice(0, 2) as [number, number] } : {}),
  };
  const isWhole = count === own.length;
  for (let at = 0; at <= features; at++) {
    const starting = own.findIndex(({ first }) => first === at);
    const ended = own.findIndex(({ end }) => end === at);
    if (ended === count - 1 && count > 0) {
      leaveBlocks(b, blocks);
      if (!isWhole) return early(b, network, ids, own[count - 1]!.end, classes);
    }
    if (starting >= 0 && starting < count) {
      const { entry } = own[starting]!;
      ids.set(entry, enterBlock(b, ids.get(entry)!, starting, blocks));
    }
    ids.set(at, at === 0 ? x : build(b, steps[at]!, ids, roles.get(at)));
  }
  if (own.at(-1)?.end === features + 1) leaveBlocks(b, blocks);
  return headOf(b, network, ids.get(features)!, classes);
}

const headOf = (b: Builder, { head }: Network, x: number, classes: number): number =>
  classifier(b, flattened(b, x), head ? layerOf(head) : 'head', classes);

/** A network that ends early: what follows its blocks reads the last one's output where it has the shape that it was made for, else its mean. */
function early(b: Builder, network: Network, ids: Map<number, number>, end: number, classes: number): number {
  const { steps, features, blocks } = network;
  const output = steps.slice(0, end).findLastIndex((_, i) => ids.has(i));
  const last = blocks.at(-1)!;
  const final = lastValue(network, last.end);
  const x = ids.get(output)!;
  if (String(steps[output]!.shape) !== String(steps[final]!.shape))
    return classifier(b, pool(b, x, 'pool'), network.head ? layerOf(network.head) : 'head', classes);
  ids.set(final, x);
  const roles = projections(steps);
  for (let at = last.end; at <= features; at++) ids.set(at, build(b, steps[at]!, ids, roles.get(at)));
  return headOf(b, network, ids.get(features)!, classes);
}

/** The value that crosses the end of the last block. */
function lastValue({ steps, features }: Network, end: number): number {
  const read = steps.slice(end).flatMap(({ inputs }) => inputs);
  return Math.max(...[...read, features].filter((id) => id < end));
}

/** The layer that a step's weight names. */
export const layerOf = (step: Step): string => step.params.weight!.name.replace(/\.weight$/, '');

/** A picture's numbers as one row. */
const flattened = (b: Builder, x: number): number => (shapeOf(b.graph, x).length === 2 ? x : pool(b, x, 'flatten', 0, 1));

function build(b: Builder, step: Step, ids: ReadonlyMap<number, number>, role: Projection | undefined): number {
  const inputs = step.inputs.map((i) => ids.get(i)!);
  const [x] = inputs as [number];
  const { a, name } = step;
  switch (step.op) {
    case 'conv':
      return conv(b, x, step);
    case 'linear':
      return linear(b, x, step, role);
    case 'activation':
      return activation(b, x, `${name}.act${ids.size}`, a.kind!);
    case 'add':
      return sum(b, step, ids, `${name}.add${ids.size}`);
    case 'scale':
      return add(b, x, x, `${name}.scaled${ids.size}`, a.m! / 2);
    case 'gate':
      return append(b, 'Gate', `${name}.gate`, inputs);
    case 'layerNorm':
      return norm(b, x, step);
    case 'pool':
      return pool(b, x, `${name}.pool${ids.size}`, a.first, a.count);
    case 'maxPool':
      return append(b, 'MaxPool', name, [x], window(a));
    case 'embed':
      return embed(b, x, step);
    case 'attention':
      return attention(b, inputs, step);
    case 'partition':
      return append(b, 'WindowPartition', `${name}.windows${ids.size}`, [x], a);
    case 'reverse':
      return append(b, 'WindowReverse', `${name}.map${ids.size}`, [x], a);
    default:
      throw new RangeError(`onnx: no layer for ${step.op}`);
  }
}

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
  const isFirst = lastDim(b.graph, x) === 3;
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

function norm(b: Builder, x: number, step: Step): number {
  const c = lastDim(b.graph, x);
  const load = (key: 'gamma' | 'beta', kind: 'scale' | 'bias'): number => {
    const { name } = step.params[key]!;
    return weight(b, { name, shape: [c], kind, source: whole(name, [c]) });
  };
  return append(b, 'LayerNorm', step.name, [x, load('gamma', 'scale'), load('beta', 'bias')], { eps: step.a.eps! });
}

/** The sum of a block's input and of what it makes of it may leave that out for some pictures; the older value is the input. */
function sum(b: Builder, { inputs }: Step, ids: ReadonlyMap<number, number>, name: string): number {
  const [older, newer] = [...inputs].sort((x, y) => x - y).map((i) => ids.get(i)!) as [number, number];
  const { index, count } = b.block;
  const shaped = alike(b, older, newer);
  return index >= 0 && index < count ? residual(b, older, shaped, name) : add(b, older, shaped, name);
}

/** `y` in the shape of `x`: the same rows, seen as a map or as a sequence. */
function alike(b: Builder, x: number, y: number): number {
  const [to, from] = [shapeOf(b.graph, x), shapeOf(b.graph, y)];
  if (String(to) === String(from)) return y;
  return to.length === 4 ? asMap(b, y, to[1]!, to[2]!) : asRows(b, y);
}

/** A copy as a map of h × w; as a sequence. */
const asMap = (b: Builder, x: number, h: number, w: number): number =>
  append(b, 'WindowReverse', `map.${x}`, [x], oneWindow(h, w, lastDim(b.graph, x)));
function asRows(b: Builder, x: number): number {
  const shape = shapeOf(b.graph, x);
  if (shape.length === 3) return x;
  return append(b, 'WindowPartition', `rows.${x}`, [x], oneWindow(shape[1]!, shape[2]!, shape[3]!));
}
const oneWindow = (h: number, w: number, c: number): Windows => ({
  h,
  w,
  c,
  wh: h,
  ww: w,
  rows: 1,
  columns: 1,
  sy: 0,
  sx: 0,
  modh: h,
  modw: w,
  merge: 0,
});

function embed(b: Builder, x: number, { params }: Step): number {
  const load = (key: string, shape: readonly number[]): number => {
    const param = params[key];
    return param ? weight(b, { name: param.name, shape, kind: 'embedding', source: whole(param.name, param.shape) }) : ABSENT;
  };
  const c = lastDim(b.graph, x);
  const rows = params.pos?.shape[1] ?? 0;
  return append(b, 'Embed', 'embeddings', [x, load('cls', [c]), load('dist', [c]), load('pos', [rows, c])]);
}

function attention(b: Builder, inputs: readonly number[], { a, name, params }: Step): number {
  const [q, k, v] = inputs.map((id) => asRows(b, id)) as [number, number, number];
  const { table } = params;
  const heads = { heads: a.heads!, scale: a.scale! };
  if (table === undefined) return append(b, 'Attention', `${name}.attention`, [q, k, v], heads);
  const bias = weight(b, { name: table.name, shape: table.shape, kind: 'weight', source: whole(table.name, table.shape) });
  const { wh, ww, rows, columns, sy, sx } = a as Record<string, number>;
  return append(b, 'Attention', `${name}.attention`, [q, k, v, bias], {
    ...heads,
    wh: wh!,
    ww: ww!,
    rows: rows!,
    columns: columns!,
    sy: sy!,
    sx: sx!,
  });
}
