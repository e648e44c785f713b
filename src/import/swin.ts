/** Swin Transformer v1 and V2 (arXiv 2103.14030, 2111.09883), from Hugging Face and timm configurations. Between blocks a feature is a map [B,H,W,C]. */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { lastDim } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { type Builder, PROJECTIONS } from '../network/builder.ts';
import { patches } from '../network/conv.ts';
import { type Cosine, cosineAttention } from '../network/cosine.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, add, attention, classifier, dropout, layerNorm, linear, pool, repartition, residual } from '../network/layer.ts';
import type { Windows } from '../ops/window.ts';
import { needDivides } from './stages.ts';
import { layersOf, projection, type Qkv } from './vit.ts';

type Pair = readonly [number, number];

/** Where a checkpoint keeps each tensor. */
export interface SwinNames {
  patches: string;
  patchNorm: string;
  block(
    stage: number,
    i: number,
  ): {
    norm1: string;
    norm2: string;
    qkv: Qkv;
    /** Of biases by relative position; or (V2) what gives them, and factors of heads. */
    positions: string | Omit<Cosine, 'trained'>;
    out: string;
    fc1: string;
    fc2: string;
  };
  /** The merging after a stage. */
  merge(stage: number): { norm: string; reduction: string };
  norm: string;
  head: string;
}

export interface Stage {
  depth: number;
  heads: number;
  window: Pair;
  /** Do its windows move, whatever the map? */
  rolls?: boolean;
  /** V2: the window in pretraining, where it was another. */
  trained?: Pair | undefined;
}

export interface Swin {
  image: Pair;
  /** Image size that the checkpoint's windows were made for. */
  pretrainedImage: Pair;
  patch: number;
  /** Channels of the first stage; each later one has twice as many. */
  dim: number;
  stages: readonly Stage[];
  mlpRatio: number;
  /** Of the norms in blocks and of the last one. */
  eps: number;
  activation: Kind;
  qkvBias: boolean;
  /** V2: norms stand behind attention, MLP and merging; keys have no bias; attention goes by cosines. */
  normsLast?: boolean;
  /**
   * A map no larger than the window makes the window smaller: `both` sides alike (Hugging Face), each `axis` (timm), or `never`; `pads`: the map
   * is padded and not rolled (torchvision).
   */
  shrink: 'both' | 'axis' | 'never' | 'pads';
  /** Maps that no whole number of windows covers: padded, then rolled (Hugging Face), or rolled, then padded (timm). */
  padFirst: boolean;
  /** Drop-path leaves out what attention and MLP put out (timm), or attention's part alone (Hugging Face). */
  dropsMlp: boolean;
  names: SwinNames;
}

/** Epsilon of the norms after the patches and in merging. */
const MERGE_EPS = 1e-5;

/** Map size at each stage. */
function maps({ patch, stages }: Swin, image: Pair): Pair[] {
  let map: Pair = [Math.ceil(image[0] / patch), Math.ceil(image[1] / patch)];
  return stages.map((_, s) => {
    if (s > 0) map = [Math.ceil(map[0] / 2), Math.ceil(map[1] / 2)];
    return map;
  });
}

/** A block's own window on a map, and whether each axis may be rolled. */
function windowOn(
  { shrink }: Swin,
  { window: [wh, ww], rolls = true }: Stage,
  [h, w]: Pair,
): { size: Pair; rolls: readonly [boolean, boolean] } {
  if (shrink === 'never') return { size: [wh, ww], rolls: [rolls, rolls] };
  if (shrink === 'pads') return { size: [wh, ww], rolls: [h > wh, w > ww] };
  if (shrink === 'axis') return { size: [Math.min(wh, h), Math.min(ww, w)], rolls: [h > wh, w > ww] };
  const size = Math.min(h, w, wh);
  return { size: [size, size], rolls: [size < Math.min(h, w), size < Math.min(h, w)] };
}

/** The windows of block `i` of a stage on a map of `c` channels. */
function windowsOf(spec: Swin, stage: Stage, [h, w]: Pair, c: number, i: number): Windows {
  const { size, rolls } = windowOn(spec, stage, [h, w]);
  const [wh, ww] = size;
  const [rows, columns] = [Math.ceil(h / wh), Math.ceil(w / ww)];
  const [sy, sx] = [0, 1].map((axis) => (i % 2 === 1 && rolls[axis] ? stage.window[axis]! >> 1 : 0)) as [number, number];
  const [modh, modw] = spec.padFirst ? [rows * wh, columns * ww] : [h, w];
  return { h, w, c, wh, ww, rows, columns, sy, sx, modh, modw, merge: 0 };
}

/** Throws where sizes do not fit the checkpoint's windows. */
export function checkSwin(where: string, spec: Swin): void {
  const fault = (what: string, got: string, expected: string): never => {
    throw new InputError({ where, what, got, expected });
  };
  // timm cuts what is left of a picture off; so small a loss is more likely a mistake.
  if (!spec.padFirst && spec.image.some((size) => size % spec.patch !== 0))
    fault('image size is not a multiple of the patch size', spec.image.join('x'), `multiples of ${spec.patch}`);
  const [now, before] = [maps(spec, spec.image), maps(spec, spec.pretrainedImage)];
  spec.stages.forEach((stage, s) => {
    const { heads, window } = stage;
    const [h, w] = now[s]!;
    const c = spec.dim * 2 ** s;
    needDivides(where, `channels of stage ${s} do not divide into heads`, c, heads);
    // V2 computes its biases for any window.
    if (spec.normsLast) return;
    // Hugging Face's position tables have the configured window's size, timm's that of the window on the maps of training.
    const trained = spec.shrink === 'both' ? window : windowOn(spec, stage, before[s]!).size;
    if (windowOn(spec, stage, now[s]!).size.some((size, axis) => size !== trained[axis]))
      fault(
        'the image size does not fit the windows',
        `${spec.image.join('x')}, a map of ${h}x${w} in stage ${s}`,
        `a window of ${trained.join('x')}`,
      );
  });
}

/** As a family has them. */
export const swinProjections = ({ qkvBias, stages, dim, names }: Swin): { layers: string[]; n: number }[] =>
  qkvBias
    ? []
    : stages.flatMap(({ depth }, s) =>
        Array.from({ length: depth }, (_, i) => ({ layers: layersOf(names.block(s, i).qkv), n: dim * 2 ** s })),
      );

export const swinMergings = ({ stages, names, normsLast }: Swin): { norm: string; reduction: string }[] =>
  normsLast ? [] : stages.slice(1).map((_, s) => names.merge(s));

/** x: pixels [B,H,W,C]; returns logits [B,classes]. */
export function swin(b: Builder, x: number, spec: Swin, classes: number): number {
  const { names, patch, dim, stages } = spec;
  const sizes = maps(spec, spec.image);
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  const embedded = layerNorm(b, patches(b, x, names.patches, dim, [patch, patch], 'filled'), names.patchNorm, MERGE_EPS);
  let h = dropout(b, embedded, 'embeddings', 'embeddings');
  let index = 0;
  stages.forEach((stage, s) => {
    if (index === blocks.count) return;
    const c = dim * 2 ** s;
    if (s > 0) h = merge(b, h, names.merge(s - 1), sizes[s - 1]!, c / 2, spec.normsLast);
    for (let i = 0; i < stage.depth && index < blocks.count; i++)
      h = block(b, enterBlock(b, h, index++, blocks), spec, s, i, windowsOf(spec, stage, sizes[s]!, c, i));
  });
  leaveBlocks(b, blocks);
  // The last norm has the last stage's width: a network that ends in an earlier one has none.
  const normed = lastDim(b.graph, h) === dim * 2 ** (stages.length - 1) ? layerNorm(b, h, names.norm, spec.eps) : h;
  return classifier(b, pool(b, normed, 'pool'), names.head, classes);
}

function block(b: Builder, x: number, spec: Swin, s: number, i: number, windows: Windows): number {
  const { qkvBias, normsLast } = spec;
  const { c } = windows;
  const norm = (y: number, name: string): number => layerNorm(b, y, name, spec.eps);
  const names = spec.names.block(s, i);
  const prefix = names.norm1.replace(/\.[^.]*$/, '');
  // Padding goes through the projections too: it takes part as keys and values, which are then their biases.
  const h = repartition(b, 'WindowPartition', normsLast ? x : norm(x, names.norm1), `${prefix}.windows`, windows);
  const project = (part: 0 | 1 | 2): number => {
    const options = { bias: qkvBias && !(normsLast && part === 1), biasNeverLearns: part === 1, role: PROJECTIONS[part] };
    return projection(b, h, names.qkv, part, c, options);
  };
  const { heads, trained } = spec.stages[s]!;
  const { positions } = names;
  const qkv = [project(0), project(1), project(2)] as const;
  const mixed =
    typeof positions === 'string'
      ? attention(b, ...qkv, `${prefix}.attention`, heads, { table: positions, windows })
      : cosineAttention(b, qkv, `${prefix}.attention`, heads, { ...positions, trained }, windows);
  const out = linear(b, repartition(b, 'WindowReverse', mixed, `${prefix}.map`, windows), names.out, c);
  const branch = dropout(b, out, names.out);
  const middle = residual(b, x, normsLast ? norm(branch, names.norm1) : branch, `${prefix}.add1`);
  const hidden = linear(b, normsLast ? middle : norm(middle, names.norm2), names.fc1, Math.floor(c * spec.mlpRatio));
  const down = linear(b, activation(b, hidden, `${prefix}.activation`, spec.activation), names.fc2, c);
  const dropped = dropout(b, down, names.fc2);
  const rest = normsLast ? norm(dropped, names.norm2) : dropped;
  return spec.dropsMlp ? residual(b, middle, rest, `${prefix}.add2`) : add(b, middle, rest, `${prefix}.add2`);
}

/** Patch merging: four neighbours become one position of twice the channels. */
function merge(b: Builder, x: number, names: { norm: string; reduction: string }, [h, w]: Pair, c: number, normsLast = false): number {
  const [rows, columns] = [Math.ceil(h / 2), Math.ceil(w / 2)];
  const windows = { h, w, c, wh: 2, ww: 2, rows, columns, sy: 0, sx: 0, modh: h, modw: w, merge: 1 };
  const four = repartition(b, 'WindowPartition', x, `${names.reduction}.neighbours`, windows);
  const reduced = (y: number): number => linear(b, y, names.reduction, 2 * c, { bias: false, isBetweenBlocks: true });
  return normsLast ? layerNorm(b, reduced(four), names.norm, MERGE_EPS) : reduced(layerNorm(b, four, names.norm, MERGE_EPS));
}
