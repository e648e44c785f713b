/**
 * Layers as a model file wants to write them: each appends its nodes and declares its weights under the checkpoint's own names.
 * The same model function is run once for the train phase and once for eval; weights are shared by name.
 */
import { Kind } from '../../assembly/abi/ops.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import {
  ABSENT,
  addValue,
  f32,
  type Graph,
  type Layout,
  lastDim,
  numel,
  type Phase,
  type Role,
  type Source,
  shapeOf,
  type Kind as WeightKind,
} from '../graph.ts';
import { learnsKind, type Method } from '../modules/method.ts';
import { emit } from '../ops/index.ts';
import type { Windows } from '../ops/window.ts';
import { encodingFor, type Precision } from '../precision.ts';
import type { DropoutRates } from './drop.ts';

/** A part of a fused tensor: rows [start, start + its own rows) of `of` rows. */
export interface Rows {
  start: number;
  of: number;
}

export interface LayerOptions {
  /** Does the checkpoint have a bias here? */
  bias?: boolean;
  rows?: Rows;
  /** A bias whose gradient is identically zero (attention keys). */
  biasNeverLearns?: boolean;
  /** Queries and values: what low-rank adaptation adapts by default. */
  isQueryOrValue?: boolean;
  /** Stands between blocks: low-rank adaptation leaves it alone. */
  isBetweenBlocks?: boolean;
}

/** A convolution's names: its own, and its batch norm's (absent where it was folded before: then the convolution has a bias). */
export interface ConvNames {
  conv: string;
  norm?: string;
  eps: number;
  /** The norm is a group norm of so many groups, which no weight can take in. */
  groups?: number;
}

export interface Window {
  kernel: number;
  stride: number;
  /** TensorFlow's SAME: the odd row of padding comes last. False: (kernel-1)/2 on every side. */
  tfPadding: boolean;
}

/** Rates of dropout, and of drop-path at the last block (0 at the first, rising evenly); `samples` count the pictures' random numbers. */
export interface Drop {
  rates: DropoutRates;
  path: number;
  samples: number;
}

export interface Builder {
  graph: Graph;
  phase: Phase;
  method: Method;
  /** Where the classifier comes from: the checkpoint, or new and zero. */
  head: 'file' | 'new';
  weights: Map<string, number>;
  /** Of frozen weights. */
  precision: Precision;
  /** The state block, for initial values. */
  state: number;
  /** Dropout and drop-path in training; undefined: none. */
  drop: Drop | undefined;
  /** Which block is being built; before the first, index -1. */
  block: { index: number; count: number };
  /** The side branch's state and the block that entered it last. */
  side: { state: number; index: number } | undefined;
}

export function createBuilder(graph: Graph, method: Method, head: 'file' | 'new', state: number, precision: Precision): Builder {
  const block = { index: -1, count: 0 };
  return { graph, phase: 'train', method, head, weights: new Map(), precision, state, drop: undefined, block, side: undefined };
}

/** Appends a mask of the layer called `name`, in training alone. */
function masked(b: Builder, x: number, name: string, rate: number, path: 0 | 1): number {
  if (b.drop === undefined || b.phase !== 'train' || rate === 0) return x;
  const number = b.graph.phases.train.filter((node) => node.op === 'Drop').length;
  return append(b, 'Drop', name, [x, b.drop.samples, b.state], { rate, number, path });
}

/** Dropout of what a layer puts out. */
export const dropout = (b: Builder, x: number, name: string, of: keyof DropoutRates = 'layers'): number =>
  masked(b, x, `${name}.dropout`, b.drop?.rates[of] ?? 0, 0);

/** x + branch, the branch left out for some pictures: the more, the later the block (arXiv 1603.09382). */
export function residual(b: Builder, x: number, branch: number, name: string): number {
  const { index, count } = b.block;
  const rate = (b.drop?.path ?? 0) * (count > 1 ? index / (count - 1) : 1);
  return add(b, x, masked(b, branch, `${name}.path`, rate, 1), name);
}

/** Begins the network again in another phase; weights are shared by name. */
export function startPhase(b: Builder, phase: Phase): void {
  b.phase = phase;
  b.block = { index: -1, count: 0 };
  b.side = undefined;
}

/** May what is being built now learn? `last` keeps everything before the last blocks frozen. */
export function learns({ method, block }: Builder): boolean {
  if (method.last === undefined) return true;
  return block.index >= 0 && block.index >= block.count - method.last.blocks;
}

interface Weight {
  name: string;
  /** Shape in the arena. */
  shape: readonly number[];
  kind: WeightKind;
  role?: Role;
  /** Absent: starts at zero. */
  source?: Source;
  /** How the arena's elements lie in the checkpoint's tensor, for writing it back. */
  layout?: Layout;
  /** May be coded while it is frozen; its source's first axis counts the output channels. */
  layer?: 'linear' | 'convolution';
}

const flat = (shape: readonly number[]): Pick<Source, 'dims' | 'strides'> => ({
  dims: [1, 1, numel(shape)],
  strides: [numel(shape), numel(shape), 1],
});

/** The same, row by row. */
const rowwise = (n: number, k: number): Pick<Source, 'dims' | 'strides'> => ({ dims: [n, 1, k], strides: [k, k, 1] });

/** The picture's own channels: the layer that reads them keeps f32 weights, which are few and come before everything. */
const PICTURE_CHANNELS = 3;

/** A tensor taken from the checkpoint as it is. */
const whole = (tensor: string, shape: readonly number[]): Source => ({ tensor, shape, start: 0, ...flat(shape) });

/** Declares a weight once; later calls with the same name return the same value. */
function weight(b: Builder, { name, shape, kind, role: given, source, layout, layer }: Weight): number {
  const known = b.weights.get(name);
  if (known !== undefined) return known;
  const role = given ?? (learns(b) && learnsKind(b.method, kind) ? 'param' : 'frozen');
  const [o] = source?.dims ?? [1];
  const encoding = role === 'frozen' && layer && source ? encodingFor(b.precision, layer, o, numel(shape) / o) : Encoding.F32;
  const id = addValue(b.graph, name, { ...f32(...shape), ...(encoding === Encoding.F32 ? {} : { encoding }) }, role, {
    kind,
    block: b.block.index,
    ...(source ? { source } : {}),
    layout: layout ?? source ?? { shape, ...flat(shape) },
  });
  b.weights.set(name, id);
  return id;
}

/** A tensor of a module: learnable, not in the checkpoint, zero or normal with the given deviation at the start. */
export function newWeight(b: Builder, w: Omit<Weight, 'role' | 'source'> & { deviation?: number }): number {
  const isNew = !b.weights.has(w.name);
  const id = weight(b, { ...w, role: 'param' });
  if (isNew && w.deviation !== undefined) {
    const a = { number: b.weights.size, scale: w.deviation };
    emit(b.graph, 'Normal', `${w.name}.init`, [b.state], a, { phase: 'init', updates: [id] });
  }
  return id;
}

export const append = (b: Builder, op: string, name: string, inputs: number[], attributes = {}): number =>
  emit(b.graph, op, b.phase === 'eval' ? `eval.${name}` : name, inputs, attributes, { phase: b.phase, block: b.block.index }).outputs[0]!;

/** A bias of `n` elements, from the checkpoint if it has one; else zero if the method adds biases, else absent. */
function biasOf(b: Builder, name: string, n: number, { bias = true, rows, biasNeverLearns }: LayerOptions): number {
  if (!bias && (!b.method.bias || !learns(b) || biasNeverLearns)) return ABSENT;
  const suffix = rows ? `[${rows.start}:${rows.start + n}]` : '';
  return weight(b, {
    name: `${name}.bias${suffix}`,
    shape: [n],
    kind: 'bias',
    layout: { shape: [n], ...flat([n]) },
    ...(biasNeverLearns ? { role: 'frozen' as const } : {}),
    ...(bias ? { source: { ...whole(`${name}.bias`, [rows?.of ?? n]), start: rows?.start ?? 0, ...flat([n]) } } : {}),
  });
}

/** y[…,n] = x[…,K]·Wᵀ + b. `rows` takes a slice of a fused tensor. */
export function linear(b: Builder, x: number, name: string, n: number, options: LayerOptions = {}): number {
  const k = lastDim(b.graph, x);
  const { rows } = options;
  const suffix = rows ? `[${rows.start}:${rows.start + n}]` : '';
  const w = weight(b, {
    name: `${name}.weight${suffix}`,
    shape: [n, k],
    kind: 'weight',
    source: { ...whole(`${name}.weight`, [rows?.of ?? n, k]), start: (rows?.start ?? 0) * k, ...rowwise(n, k) },
    layout: { shape: [n, k], ...flat([n, k]) },
    layer: 'linear',
  });
  const y = append(b, 'Linear', `${name}${suffix}`, [x, w, biasOf(b, name, n, options)]);
  return options.isBetweenBlocks ? y : adapted(b, x, y, `${name}${suffix}`, options.isQueryOrValue ?? false);
}

/**
 * Low-rank adaptation (LoRA, arXiv 2106.09685): y + (alpha/r)·B·A·x on the linear layers of a block. A [r,in] starts as PEFT's does, with
 * deviation 1/√(3·in); B [out,r] at zero.
 */
function adapted(b: Builder, x: number, y: number, name: string, isQueryOrValue: boolean): number {
  const { lora } = b.method;
  const { index, count } = b.block;
  if (lora === undefined || !learns(b) || index < 0 || index >= count || !(lora.all || isQueryOrValue)) return y;
  const [k, n] = [lastDim(b.graph, x), lastDim(b.graph, y)];
  const down = newWeight(b, { name: `lora.${name}.A`, shape: [lora.rank, k], kind: 'weight', deviation: 1 / Math.sqrt(3 * k) });
  const up = newWeight(b, { name: `lora.${name}.B`, shape: [n, lora.rank], kind: 'weight' });
  const change = append(b, 'Linear', `lora.${name}.up`, [append(b, 'Linear', `lora.${name}.down`, [x, down, ABSENT]), up, ABSENT]);
  const scale = lora.alpha / lora.rank;
  const scaled = scale === 1 ? change : add(b, change, change, `lora.${name}.scaled`, scale / 2);
  return add(b, y, scaled, `lora.${name}.sum`);
}

/** The classifier: always learnable. */
export function classifier(b: Builder, x: number, name: string, classes: number): number {
  const k = lastDim(b.graph, x);
  const fromFile = b.head === 'file';
  const tensor = (suffix: string, shape: number[], kind: WeightKind): number =>
    weight(b, {
      name: `${name}.${suffix}`,
      shape,
      kind,
      role: 'param',
      ...(fromFile ? { source: whole(`${name}.${suffix}`, shape) } : {}),
    });
  return append(b, 'Linear', name, [
    dropout(b, x, name, 'head'),
    tensor('weight', [classes, k], 'weight'),
    tensor('bias', [classes], 'bias'),
  ]);
}

/** Sum of the parts of a head. */
export const addHead = (b: Builder, logits: number, part: number): number => append(b, 'Add', 'logits', [logits, part], { scale: 1 });

export function layerNorm(b: Builder, x: number, name: string, eps: number): number {
  const c = lastDim(b.graph, x);
  const gamma = weight(b, { name: `${name}.weight`, shape: [c], kind: 'scale', source: whole(`${name}.weight`, [c]) });
  const beta = weight(b, { name: `${name}.bias`, shape: [c], kind: 'bias', source: whole(`${name}.bias`, [c]) });
  return append(b, 'LayerNorm', name, [x, gamma, beta], { eps });
}

export function groupNorm(b: Builder, x: number, name: string, groups: number, eps: number): number {
  const c = lastDim(b.graph, x);
  const gamma = weight(b, { name: `${name}.weight`, shape: [c], kind: 'scale', source: whole(`${name}.weight`, [c]) });
  const beta = weight(b, { name: `${name}.bias`, shape: [c], kind: 'bias', source: whole(`${name}.bias`, [c]) });
  const stats = append(b, 'GroupStats', `${name}.stats`, [x], { groups, eps });
  return append(b, 'GroupNorm', name, [x, stats, gamma, beta]);
}

export function activation(b: Builder, x: number, name: string, kind: Kind): number {
  return append(b, 'Activation', name, [x, ABSENT], { kind });
}

export function add(b: Builder, x: number, y: number, name: string, scale = 1): number {
  return append(b, 'Add', name, [x, y], { scale });
}

/** `relative`: the rows are windows of a map, with the relative position bias of this name. */
export function attention(
  b: Builder,
  q: number,
  k: number,
  v: number,
  name: string,
  heads: number,
  relative?: { table: string; windows: Windows },
): number {
  const attributes = { heads, scale: 1 / Math.sqrt(lastDim(b.graph, q) / heads) };
  if (relative === undefined) return append(b, 'Attention', name, [q, k, v], attributes);
  const { wh, ww, rows, columns, sy, sx } = relative.windows;
  const shape = [(2 * wh - 1) * (2 * ww - 1), heads];
  const table = weight(b, { name: relative.table, shape, kind: 'weight', source: whole(relative.table, shape) });
  return append(b, 'Attention', name, [q, k, v, table], { ...attributes, wh, ww, rows, columns, sy, sx });
}

/** Cuts a map into windows, or puts it together again. */
export function repartition(b: Builder, op: 'WindowPartition' | 'WindowReverse', x: number, name: string, windows: Windows): number {
  return append(b, op, name, [x], windows);
}

/** Mean over `count` positions from `first`; one position is taken as it is. */
export function pool(b: Builder, x: number, name: string, first = 0, count?: number): number {
  const positions = numel(shapeOf(b.graph, x).slice(1, -1));
  return append(b, 'Pool', name, [x], { first, count: count ?? positions - first });
}

/** Folds a batch norm (or, without statistics, a layer scale) into a layer's weight and bias before the first step. */
function fold(
  b: Builder,
  w: number,
  bias: number,
  c: number,
  names: { gamma: string; beta?: string; mean?: string; variance?: string },
  eps: number,
  depthwise: number,
): void {
  if (b.weights.has(names.gamma)) return;
  const load = (name: string | undefined): number =>
    name === undefined ? ABSENT : weight(b, { name, shape: [c], kind: 'scale', role: 'temp', source: whole(name, [c]) });
  const inputs = [names.gamma, names.beta, names.mean, names.variance].map(load);
  emit(b.graph, 'FoldBatchNorm', `${names.gamma}.fold`, inputs, { eps, depthwise }, { phase: 'init', updates: [w, bias] });
}

/** Output size and first padding along one axis. */
export function span(size: number, { kernel, stride, tfPadding }: Window): { out: number; before: number } {
  if (!tfPadding) {
    const before = (kernel - 1) >> 1;
    return { out: Math.floor((size + 2 * before - kernel) / stride) + 1, before };
  }
  const total = Math.max(size % stride === 0 ? kernel - stride : kernel - (size % stride), 0);
  return { out: Math.ceil(size / stride), before: total >> 1 };
}

/** Convolution (dense, 1×1 or depthwise) with its batch norm folded in, or its group norm after it; NHWC. */
export function conv(b: Builder, x: number, names: ConvNames, o: number, window: Window, depthwise = false): number {
  const y = convolution(b, x, names, o, window, depthwise);
  const { norm, groups, eps } = names;
  return norm !== undefined && groups !== undefined ? groupNorm(b, y, norm, groups, eps) : y;
}

function convolution(
  b: Builder,
  x: number,
  { conv: name, norm, groups, eps }: ConvNames,
  o: number,
  window: Window,
  depthwise: boolean,
): number {
  const [, h, wd, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const { kernel: r, stride } = window;
  const file = [o, depthwise ? 1 : c, r, r];
  const area = r * r;
  // The checkpoint's [O,I,R,S] becomes [O,R,S,I], a depthwise [C,1,R,S] becomes [R,S,C].
  const layout: Layout = depthwise
    ? { shape: file, dims: [o, 1, area], strides: [1, 0, o] }
    : { shape: file, dims: [o, c, area], strides: [area * c, 1, c] };
  const pointwise = r === 1 && stride === 1 && !depthwise;
  const w = weight(b, {
    name: `${name}.weight`,
    shape: pointwise ? [o, c] : depthwise ? [r, r, c] : [o, r, r, c],
    kind: 'weight',
    source: { tensor: `${name}.weight`, start: 0, ...layout },
    ...(depthwise || c === PICTURE_CHANNELS ? {} : { layer: 'convolution' as const }),
  });
  const bias =
    groups !== undefined
      ? biasOf(b, name, o, { bias: false })
      : weight(b, { name: `${name}.bias`, shape: [o], kind: 'bias', ...(norm ? {} : { source: whole(`${name}.bias`, [o]) }) });
  if (norm && groups === undefined) {
    const names = { gamma: `${norm}.weight`, beta: `${norm}.bias`, mean: `${norm}.running_mean`, variance: `${norm}.running_var` };
    fold(b, w, bias, o, names, eps, depthwise ? 1 : 0);
  }
  if (pointwise) return adapted(b, x, append(b, 'Linear', name, [x, w, bias], { pointwise: 1 }), name, false);
  const [vertical, horizontal] = [span(h, window), span(wd, window)];
  const tfPadding = window.tfPadding ? 1 : 0;
  const attributes = { r, s: r, stride, top: vertical.before, left: horizontal.before, oh: vertical.out, ow: horizontal.out, tfPadding };
  return append(b, depthwise ? 'Depthwise' : 'Conv', name, [x, w, bias], attributes);
}

/** The largest of each window; symmetric padding that no maximum comes from. */
export function maxPool(b: Builder, x: number, name: string, kernel: number, stride: number): number {
  const [, h, w] = shapeOf(b.graph, x) as [number, number, number, number];
  const window = { kernel, stride, tfPadding: false };
  const [vertical, horizontal] = [span(h, window), span(w, window)];
  const attributes = { r: kernel, s: kernel, stride, top: vertical.before, left: horizontal.before, oh: vertical.out, ow: horizontal.out };
  return append(b, 'MaxPool', name, [x], attributes);
}

/** Folds a layer scale (deit3) into the linear layer whose output it scales. */
export function layerScale(b: Builder, linearName: string, gamma: string): void {
  const w = b.weights.get(`${linearName}.weight`)!;
  fold(b, w, b.weights.get(`${linearName}.bias`)!, shapeOf(b.graph, w)[0]!, { gamma }, 0, 0);
}

/**
 * Cuts pictures into patches and projects each: a convolution whose stride is its kernel. What is left at the end is dropped, or filled up
 * with zeros.
 */
export function patches(
  b: Builder,
  x: number,
  name: string,
  c: number,
  [ph, pw]: readonly [number, number],
  rest: 'dropped' | 'filled' = 'dropped',
): number {
  const [, h, w, channels] = shapeOf(b.graph, x) as [number, number, number, number];
  const file = [c, channels, ph, pw];
  const area = ph * pw;
  const filter = weight(b, {
    name: `${name}.weight`,
    shape: [c, ph, pw, channels],
    kind: 'weight',
    source: { tensor: `${name}.weight`, shape: file, start: 0, dims: [c, channels, area], strides: [area * channels, 1, channels] },
    ...(channels === PICTURE_CHANNELS ? {} : { layer: 'convolution' as const }),
  });
  const bias = biasOf(b, name, c, {});
  const count = rest === 'filled' ? Math.ceil : Math.floor;
  const attributes = { r: ph, s: pw, stride: ph, top: 0, left: 0, oh: count(h / ph), ow: count(w / pw) };
  return append(b, 'Conv', name, [x, filter, bias], attributes);
}

export interface Positions {
  name: string;
  /** Rows before the grid, in the checkpoint. */
  prefix: number;
  /** Grid of the checkpoint, and of the picture at hand. */
  from: readonly [number, number];
  to: readonly [number, number];
  antialias: boolean;
}

/** Class and distillation tokens in front, position embeddings (resampled to the picture's grid) on top. */
export function embed(b: Builder, x: number, cls: string | undefined, dist: string | undefined, p: Positions): number {
  const c = lastDim(b.graph, x);
  const token = (name: string | undefined): number =>
    name === undefined ? ABSENT : weight(b, { name, shape: [c], kind: 'embedding', source: whole(name, [1, 1, c]) });
  const fileRows = p.prefix + p.from[0] * p.from[1];
  const rows = p.prefix + p.to[0] * p.to[1];
  const resized = p.from[0] !== p.to[0] || p.from[1] !== p.to[1];
  const known = b.weights.get(p.name);
  const pos =
    known ??
    weight(b, {
      name: p.name,
      shape: [rows, c],
      kind: 'embedding',
      ...(resized ? { layout: { shape: [1, rows, c], ...flat([rows, c]) } } : { source: whole(p.name, [1, fileRows, c]) }),
    });
  if (resized && known === undefined) {
    const raw = weight(b, {
      name: `${p.name}:file`,
      shape: [fileRows, c],
      kind: 'embedding',
      role: 'temp',
      source: whole(p.name, [1, fileRows, c]),
    });
    const a = { prefix: p.prefix, h0: p.from[0], w0: p.from[1], h: p.to[0], w: p.to[1], antialias: p.antialias ? 1 : 0 };
    emit(b.graph, 'ResizePositions', `${p.name}.resize`, [raw], a, { phase: 'init', updates: [pos] });
  }
  return append(b, 'Embed', 'embeddings', [x, token(cls), token(dist), pos]);
}

/** The activation functions that checkpoints name. */
export const ACTIVATIONS: Readonly<Record<string, Kind>> = {
  gelu: Kind.Gelu,
  gelu_new: Kind.GeluTanh,
  gelu_pytorch_tanh: Kind.GeluTanh,
  relu: Kind.Relu,
  relu6: Kind.Relu6,
  silu: Kind.Silu,
  swish: Kind.Silu,
  hard_swish: Kind.HardSwish,
  hardswish: Kind.HardSwish,
};
