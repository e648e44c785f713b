/** Convolutions with their norms, pooling by maxima, and the patches that a transformer begins with. */
import { ABSENT, type Layout, numel, shapeOf } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import { append, type Builder, flat, type Projection, weight, whole } from './builder.ts';
import { adapted, biasOf, groupNorm, type LayerOptions } from './layer.ts';

/** A convolution's names: its own, and its batch norm's (absent where it was folded before: then the convolution has a bias). */
export interface ConvNames {
  conv: string;
  norm?: string;
  eps: number;
  /** The norm is a group norm of so many groups, which no weight can take in. */
  groups?: number;
  /** Its channels are convolved in so many groups. */
  spread?: number;
  /** The convolution has a bias besides its norm. */
  biased?: boolean;
  /** Its filters are standardised before the first step, each by its own mean and deviation; epsilon of the variance. */
  standard?: number;
  /** It has neither a norm nor a bias. */
  bare?: boolean;
  /** In attention. What is added to all keys alike moves no score, so the bias of a layer of theirs has no gradient and never learns. */
  role?: Projection;
  /** The file has a linear layer's matrix over [C, R, S]. */
  flat?: boolean;
  /** The file has several in its place, which are merged before the first step; `norm` is none of its own. */
  branches?: readonly Branch[];
}

/** A convolution beside others that read and give the same, no larger than they, with its batch norm if it has one; without a name the identity. */
export interface Branch {
  conv?: string;
  norm?: string;
  kernel: number;
  /** The tensor [O,1,1] of factors of what its channels give. */
  scale?: string;
  /** It is taken from the sum. */
  isTaken?: boolean;
}

export interface Window {
  kernel: number;
  /** Its width, where that is not its height. */
  across?: number;
  stride: number;
  /** TensorFlow's SAME: the odd row of padding comes last. False: (kernel-1)/2 on every side. */
  tfPadding: boolean;
  /**
   * In place of both: none; none, and a last window that may end outside; or for stride 2 kernel/2 - 1 rows before and kernel/2 after, whatever the
   * size (transformers' EfficientNet).
   */
  padding?: 'none' | 'over' | 'trailing';
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
  axes = 1,
): void {
  if (b.weights.has(names.gamma)) return;
  const load = (name: string | undefined): number =>
    name === undefined
      ? ABSENT
      : weight(b, { name, shape: [c], kind: 'scale', role: 'temp', source: whole(name, [c, 1, 1].slice(0, axes)) });
  const inputs = [names.gamma, names.beta, names.mean, names.variance].map(load);
  emit(b.graph, 'FoldBatchNorm', `${names.gamma}.fold`, inputs, { eps, depthwise }, { phase: 'init', updates: [w, bias] });
}

/** The checkpoint's [O,I,R,S] becomes [O,R,S,I], a depthwise [C,1,R,S] becomes [R,S,C]. */
function filterLayout(file: readonly number[], area: number, depthwise: boolean): Layout {
  const [o, part] = [file[0]!, numel(file) / file[0]! / area];
  return depthwise
    ? { shape: file, dims: [o, 1, area], strides: [1, 0, o] }
    : { shape: file, dims: [o, part, area], strides: [area * part, 1, part] };
}

/** Adds up the branches in whose place a filter [O,I,R,R] and its bias stand; the first of them has R × R taps and a norm. */
function merge(
  b: Builder,
  updates: number[],
  branches: readonly Branch[],
  [o, part]: readonly number[],
  eps: number,
  depthwise: boolean,
): void {
  if (b.weights.has(`${branches[0]!.norm}.weight`)) return;
  for (const [i, { conv, norm, kernel, scale, isTaken }] of branches.entries()) {
    const file = [o!, part!, kernel, kernel];
    const layout = filterLayout(file, kernel * kernel, depthwise);
    const load = (name: string, shape: readonly number[], source: Layout): number =>
      weight(b, { name, shape, kind: 'weight', role: 'temp', source: { tensor: name, start: 0, ...source } });
    const x = conv === undefined ? ABSENT : load(`${conv}.weight`, [numel(file)], layout);
    const inputs = ['weight', 'bias', 'running_mean', 'running_var'].map((of) =>
      norm === undefined ? ABSENT : load(`${norm}.${of}`, [o!], { shape: [o!], ...flat([o!]) }),
    );
    const factors = scale === undefined ? ABSENT : load(scale, [o!], { shape: [o!, 1, 1], ...flat([o!]) });
    const a = { eps, depthwise: depthwise ? 1 : 0, side: kernel, taken: isTaken ? 1 : 0 };
    const name = norm ?? `${branches[0]!.norm}.${i}`;
    emit(b.graph, 'MergeBranch', `${name}.merge`, [x, ...inputs, factors], a, { phase: 'init', updates });
  }
}

/** Output size and first padding along one axis. */
export function span(size: number, { kernel, stride, tfPadding, padding }: Window): { out: number; before: number } {
  const half = kernel >> 1;
  if (padding === 'none') return { out: Math.floor((size - kernel) / stride) + 1, before: 0 };
  if (padding === 'over') return { out: Math.ceil((size - kernel) / stride) + 1, before: 0 };
  if (padding === 'trailing' && stride === 2) return { out: Math.floor((size + 2 * half - 1 - kernel) / 2) + 1, before: half - 1 };
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
  { conv: name, norm, groups, eps, spread = 1, biased, bare, role, flat, branches, standard }: ConvNames,
  o: number,
  window: Window,
  depthwise: boolean,
): number {
  const [, h, wd, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const { kernel: r, across: s = r, stride } = window;
  const part = c / spread;
  const file = flat ? [o, c * r * s] : [o, depthwise ? 1 : part, r, s];
  const layout = filterLayout(file, r * s, depthwise);
  const pointwise = r * s === 1 && stride === 1 && !depthwise && spread === 1;
  const isNew = !b.weights.has(`${name}.weight`);
  const w = weight(b, {
    name: `${name}.weight`,
    shape: pointwise ? [o, c] : depthwise ? [r, s, c] : [o, r, s, part],
    kind: 'weight',
    layout,
    ...(branches ? {} : { source: { tensor: `${name}.weight`, start: 0, ...layout } }),
    // Standardised, or read by pictures: not coded.
    ...(depthwise || x === b.input || standard !== undefined ? {} : { layer: flat ? ('linear' as const) : ('convolution' as const) }),
  });
  if (standard !== undefined && isNew)
    emit(b.graph, 'Standardise', `${name}.standard`, [], { eps: standard }, { phase: 'init', updates: [w] });
  const bias =
    groups !== undefined || bare
      ? biasOf(b, name, o, { bias: false, biasNeverLearns: role === 'key' })
      : weight(b, {
          name: `${name}.bias`,
          shape: [o],
          kind: 'bias',
          ...(role === 'key' ? { role: 'frozen' as const } : {}),
          ...((norm && !biased) || branches ? {} : { source: whole(`${name}.bias`, [o]) }),
        });
  if (branches) merge(b, [w, bias], branches, file, eps, depthwise);
  if (norm && groups === undefined) {
    const names = { gamma: `${norm}.weight`, beta: `${norm}.bias`, mean: `${norm}.running_mean`, variance: `${norm}.running_var` };
    fold(b, w, bias, o, names, eps, depthwise ? 1 : 0);
  }
  if (pointwise) return adapted(b, x, append(b, 'Linear', name, [x, w, bias], { pointwise: 1 }), name, role);
  const [vertical, horizontal] = [span(h, window), span(wd, { ...window, kernel: s })];
  if (spread > 1) {
    const steps = { stepY: stride, stepX: stride, down: 1, across: 1, groups: spread };
    const at = { r, s, top: vertical.before, left: horizontal.before, oh: vertical.out, ow: horizontal.out };
    return append(b, 'GroupConv', name, [x, w, bias], { ...at, ...steps });
  }
  const tfPadding = window.tfPadding ? 1 : 0;
  const attributes = { r, s, stride, top: vertical.before, left: horizontal.before, oh: vertical.out, ow: horizontal.out, tfPadding };
  return append(b, depthwise ? 'Depthwise' : 'Conv', name, [x, w, bias], attributes);
}

/**
 * The largest of each window; symmetric padding that no maximum comes from, or none: what is left at the end is dropped then, or with `over` is
 * a window of its own.
 */
export function maxPool(b: Builder, x: number, name: string, kernel: number, stride: number, padding?: 'none' | 'over'): number {
  const [, h, w] = shapeOf(b.graph, x) as [number, number, number, number];
  const window: Window = { kernel, stride, tfPadding: false, ...(padding === undefined ? {} : { padding }) };
  const [vertical, horizontal] = [span(h, window), span(w, window)];
  const attributes = { r: kernel, s: kernel, stride, top: vertical.before, left: horizontal.before, oh: vertical.out, ow: horizontal.out };
  return append(b, 'MaxPool', name, [x], attributes);
}

/** The mean around each position, of k × k with the zeros outside; maps keep their size. */
export function blurred(b: Builder, x: number, name: string, k: number): number {
  const [, oh, ow] = shapeOf(b.graph, x) as [number, number, number];
  const edge = k >> 1;
  const around = { top: edge, left: edge, bottom: edge, right: edge, padded: 1 };
  return append(b, 'AveragePool', name, [x], { r: k, s: k, stepY: 1, stepX: 1, ...around, oh, ow });
}

/** The mean of each 2×2 window, of what is there at an odd edge. */
export function halved(b: Builder, x: number, name: string): number {
  const [, h, w] = shapeOf(b.graph, x) as [number, number, number];
  const window = { r: 2, s: 2, stepY: 2, stepX: 2, top: 0, left: 0, bottom: 0, right: 0, padded: 0 };
  return append(b, 'AveragePool', name, [x], { ...window, oh: Math.ceil(h / 2), ow: Math.ceil(w / 2) });
}

/** The mean of each k × k window, windows that far apart; what is left at the end is dropped. */
export function meanPool(b: Builder, x: number, name: string, k: number): number {
  const [, h, w] = shapeOf(b.graph, x) as [number, number, number];
  const window = { r: k, s: k, stepY: k, stepX: k, top: 0, left: 0, bottom: 0, right: 0, padded: 0 };
  return append(b, 'AveragePool', name, [x], { ...window, oh: Math.floor(h / k), ow: Math.floor(w / k) });
}

/** Folds a layer scale (deit3) into the linear layer or the convolution whose output it scales, with its bias where it has one. */
export function layerScale(b: Builder, linearName: string, gamma: string, axes = 1): void {
  const w = b.weights.get(`${linearName}.weight`)!;
  fold(b, w, b.weights.get(`${linearName}.bias`) ?? ABSENT, shapeOf(b.graph, w)[0]!, { gamma }, 0, 0, axes);
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
  options: LayerOptions = {},
): number {
  const [, h, w, channels] = shapeOf(b.graph, x) as [number, number, number, number];
  const file = [c, channels, ph, pw];
  const area = ph * pw;
  const filter = weight(b, {
    name: `${name}.weight`,
    shape: [c, ph, pw, channels],
    kind: 'weight',
    source: { tensor: `${name}.weight`, shape: file, start: 0, dims: [c, channels, area], strides: [area * channels, 1, channels] },
    ...(x === b.input ? {} : { layer: 'convolution' as const }),
  });
  const bias = biasOf(b, name, c, options);
  const count = rest === 'filled' ? Math.ceil : Math.floor;
  const attributes = { r: ph, s: pw, stride: ph, top: 0, left: 0, oh: count(h / ph), ow: count(w / pw) };
  return append(b, 'Conv', name, [x, filter, bias], attributes);
}
