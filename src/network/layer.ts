/**
 * Layers as a model file wants to write them: each appends its nodes and declares its weights under the checkpoint's own names.
 * The same model function is run once for the train phase and once for eval; weights are shared by name.
 */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { ABSENT, lastDim, numel, shapeOf, type Kind as WeightKind } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import type { Windows } from '../ops/window.ts';
import { append, type Builder, flat, learns, newWeight, type Projection, rowwise, type Weight, weight, whole } from './builder.ts';
import type { DropoutRates } from './drop.ts';
import { learnsKind } from './method.ts';

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
  /** In attention. Queries and values are what low-rank adaptation adapts by default. */
  role?: Projection;
  /** What stands between its name and `weight` or `bias`; absent: a point. */
  tensors?: string;
  /** The whole name of the checkpoint's bias, where it is no part of a fused one. */
  biasTensor?: string;
  /** Stands between blocks: low-rank adaptation leaves it alone. */
  isBetweenBlocks?: boolean;
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

/**
 * x + branch, the branch left out for some pictures: the more, the later the block (arXiv 1603.09382). The rate rises from 0 by equal
 * `steps`, of which the last block has taken all unless a library counts otherwise.
 */
export function residual(b: Builder, x: number, branch: number, name: string, steps = b.block.count - 1): number {
  const rate = (b.drop?.path ?? 0) * (steps > 0 ? b.block.index / steps : 1);
  return add(b, x, masked(b, branch, `${name}.path`, rate, 1), name);
}

/** A bias of `n` elements, from the checkpoint if it has one; else zero if the method adds biases, else absent. */
export function biasOf(b: Builder, name: string, n: number, options: LayerOptions): number {
  const { bias = true, rows, biasNeverLearns, tensors = '.', biasTensor } = options;
  if (!bias && (!b.method.bias || !learns(b) || biasNeverLearns)) return ABSENT;
  if (biasTensor !== undefined) return weight(b, { name: biasTensor, shape: [n], kind: 'bias', source: whole(biasTensor, [n]) });
  const suffix = rows ? `[${rows.start}:${rows.start + n}]` : '';
  return weight(b, {
    name: `${name}${tensors}bias${suffix}`,
    shape: [n],
    kind: 'bias',
    layout: { shape: [n], ...flat([n]) },
    ...(biasNeverLearns ? { role: 'frozen' as const } : {}),
    ...(bias ? { source: { ...whole(`${name}${tensors}bias`, [rows?.of ?? n]), start: rows?.start ?? 0, ...flat([n]) } } : {}),
  });
}

/** y[…,n] = x[…,K]·Wᵀ + b. `rows` takes a slice of a fused tensor. */
export function linear(b: Builder, x: number, name: string, n: number, options: LayerOptions = {}): number {
  const k = lastDim(b.graph, x);
  const { rows, tensors = '.' } = options;
  const suffix = rows ? `[${rows.start}:${rows.start + n}]` : '';
  const w = weight(b, {
    name: `${name}${tensors}weight${suffix}`,
    shape: [n, k],
    kind: 'weight',
    source: { ...whole(`${name}${tensors}weight`, [rows?.of ?? n, k]), start: (rows?.start ?? 0) * k, ...rowwise(n, k) },
    layout: { shape: [n, k], ...flat([n, k]) },
    layer: 'linear',
  });
  const y = append(b, 'Linear', `${name}${suffix}`, [x, w, biasOf(b, name, n, options)]);
  return options.isBetweenBlocks ? y : adapted(b, x, y, `${name}${suffix}`, options.role);
}

/**
 * Low-rank adaptation (LoRA, arXiv 2106.09685): y + (alpha/r)·B·A·x on the linear layers of a block. A [r,in] starts as PEFT's does, with
 * deviation 1/√(3·in); B [out,r] at zero.
 */
export function adapted(b: Builder, x: number, y: number, name: string, role?: Projection): number {
  const { lora } = b.method;
  const { index, count } = b.block;
  if (lora === undefined || !learns(b) || index < 0 || index >= count) return y;
  const whole = name.replace(/\[.*$/, '');
  b.adaptable.push({ name: whole, role });
  const isMeant = lora.targets?.split('/').some((target) => isTarget(target, whole, role)) ?? (lora.all || (role && role !== 'key'));
  if (!isMeant) return y;
  const [k, n] = [lastDim(b.graph, x), lastDim(b.graph, y)];
  const down = newWeight(b, { name: `lora.${name}.A`, shape: [lora.rank, k], kind: 'weight', deviation: 1 / Math.sqrt(3 * k) });
  const up = newWeight(b, { name: `lora.${name}.B`, shape: [n, lora.rank], kind: 'weight' });
  b.joins.set(up, y);
  const change = append(b, 'Linear', `lora.${name}.up`, [append(b, 'Linear', `lora.${name}.down`, [x, down, ABSENT]), up, ABSENT]);
  const scale = lora.alpha / lora.rank;
  const scaled = scale === 1 ? change : add(b, change, change, `lora.${name}.scaled`, scale / 2);
  return add(b, y, scaled, `lora.${name}.sum`);
}

/** Does a target of low-rank adaptation, the end of a layer's name or what it is in attention, mean this layer? */
export const isTarget = (target: string, name: string, role?: Projection): boolean => target === role || `.${name}`.endsWith(`.${target}`);

/** The classifier: always learnable. `axes`: of its matrix in the file, 2 or (a 1×1 convolution) 4. */
export function classifier(b: Builder, x: number, name: string, classes: number, axes = 2): number {
  const k = lastDim(b.graph, x);
  const fromFile = b.head === 'file';
  const inFile = (shape: number[]): number[] => (shape.length === 1 ? shape : [...shape, ...new Array(axes - 2).fill(1)]);
  const tensor = (suffix: string, shape: number[], kind: WeightKind): number =>
    weight(b, {
      name: `${name}.${suffix}`,
      shape,
      kind,
      role: 'param',
      ...(fromFile ? { source: { ...whole(`${name}.${suffix}`, shape), shape: inFile(shape) } } : {}),
    });
  const [w, bias] = [tensor('weight', [classes, k], 'weight'), tensor('bias', [classes], 'bias')];
  for (const id of [w, bias]) b.joins.set(id, ABSENT);
  b.features = dropout(b, x, name, 'head');
  return append(b, 'Linear', name, [b.features, w, bias]);
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

/**
 * A batch norm that no layer before it can take in: x·γ/σ + (β - μ·γ/σ), a factor and a number for each channel. Where γ learns, x is normed by
 * the statistics first.
 */
export function batchNorm(b: Builder, x: number, name: string, eps: number): number {
  const c = lastDim(b.graph, x);
  const vector = (of: string, more: Partial<Weight>): number => weight(b, { name: `${name}.${of}`, shape: [c], kind: 'scale', ...more });
  const load = (of: string): number => vector(`${of}:file`, { role: 'temp', source: whole(`${name}.${of}`, [c]) });
  const terms = (parts: number[], updates: number[]): void => {
    const inputs = [...parts, load('running_mean'), load('running_var')];
    emit(b.graph, 'BatchNormTerms', `${name}.terms`, inputs, { eps }, { phase: 'init', updates });
  };
  const isNew = !b.weights.has(`${name}.running_mean:file`);
  const affine = (h: number, scale: number, shift: number, as: string): number => append(b, 'Affine', as, [h, scale, shift]);
  if (learns(b) && learnsKind(b.method, 'scale')) {
    const unit = [vector('unit', { role: 'frozen' }), vector('centre', { role: 'frozen' })] as const;
    if (isNew) terms([ABSENT, ABSENT], [...unit]);
    const own = (of: string, kind: WeightKind): number => vector(of, { kind, source: whole(`${name}.${of}`, [c]) });
    return affine(affine(x, ...unit, `${name}.normed`), own('weight', 'scale'), own('bias', 'bias'), name);
  }
  const [scale, shift] = [vector('factor', { role: 'frozen' }), vector('bias', { kind: 'bias' })];
  if (isNew) terms([load('weight'), load('bias')], [scale, shift]);
  return affine(x, scale, shift, name);
}

/** Response norm (GRN, arXiv 2301.00808): x·(1 + γ·n) + β, n a channel's norm over the map by the mean of all channels'. */
export function responseNorm(b: Builder, x: number, name: string, eps: number, axes = 1): number {
  const c = lastDim(b.graph, x);
  const file = [...new Array(axes - 1).fill(1), c];
  const tensor = (part: 'weight' | 'bias', kind: WeightKind): number =>
    weight(b, {
      name: `${name}.${part}`,
      shape: [c],
      kind,
      source: { ...whole(`${name}.${part}`, file), ...flat([c]) },
      layout: { shape: file, ...flat([c]) },
    });
  const [gamma, beta] = [tensor('weight', 'scale'), tensor('bias', 'bias')];
  return append(b, 'ResponseNorm', name, [x, append(b, 'ResponseStats', `${name}.stats`, [x]), gamma, beta], { eps });
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

/** Mean over `count` positions from `first`; one position is taken as it is. [B,C], or with `map` [B,1,1,C]. */
export function pool(b: Builder, x: number, name: string, first = 0, count?: number, map: 0 | 1 = 0): number {
  const positions = numel(shapeOf(b.graph, x).slice(1, -1));
  return append(b, 'Pool', name, [x], { first, count: count ?? positions - first, map });
}

export interface Positions {
  /** Absent: none are added. */
  name: string | undefined;
  /** Rows before the grid, in the checkpoint. */
  prefix: number;
  /** Grid of the checkpoint, and of the picture at hand. */
  from: readonly [number, number];
  to: readonly [number, number];
  antialias: boolean;
  /** The file's tensors have no axis of length 1 before theirs. */
  plain?: boolean;
}

/** Class and distillation tokens in front, position embeddings (resampled to the picture's grid) on top. */
export function embed(b: Builder, x: number, cls: string | undefined, dist: string | undefined, p: Positions): number {
  const c = lastDim(b.graph, x);
  const token = (name: string | undefined): number =>
    name === undefined ? ABSENT : weight(b, { name, shape: [c], kind: 'embedding', source: whole(name, p.plain ? [c] : [1, 1, c]) });
  return append(b, 'Embed', 'embeddings', [x, token(cls), token(dist), positions(b, p, c)]);
}

/** Position embeddings, resampled where the picture's grid is another; zeros where there are none. */
function positions(b: Builder, p: Positions, c: number): number {
  const { name } = p;
  const rows = p.prefix + p.to[0] * p.to[1];
  if (name === undefined) return weight(b, { name: 'positions.zeros', shape: [rows, c], kind: 'scale', role: 'frozen' });
  const fileRows = p.prefix + p.from[0] * p.from[1];
  const file = p.plain ? [fileRows, c] : [1, fileRows, c];
  const resized = p.from[0] !== p.to[0] || p.from[1] !== p.to[1];
  const known = b.weights.get(name);
  const pos =
    known ??
    weight(b, {
      name,
      shape: [rows, c],
      kind: 'embedding',
      ...(resized ? { layout: { shape: p.plain ? [rows, c] : [1, rows, c], ...flat([rows, c]) } } : { source: whole(name, file) }),
    });
  if (resized && known === undefined) {
    const raw = weight(b, {
      name: `${name}:file`,
      shape: [fileRows, c],
      kind: 'embedding',
      role: 'temp',
      source: whole(name, file),
    });
    const a = { prefix: p.prefix, h0: p.from[0], w0: p.from[1], h: p.to[0], w: p.to[1], antialias: p.antialias ? 1 : 0 };
    emit(b.graph, 'ResizePositions', `${name}.resize`, [raw], a, { phase: 'init', updates: [pos] });
  }
  return pos;
}
