/**
 * EdgeNeXt (arXiv 2206.10589), timm's: ConvNeXt's blocks, and in the later stages blocks whose channels are split, convolved one part after the other and
 * attend to each other over all positions (cross-covariance, arXiv 2106.09681).
 */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, MOST_LAYERS, only, real, section, text } from '../formats/config.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, flat, PROJECTIONS, weight, whole } from '../network/builder.ts';
import { type ConvNames, conv, layerScale, patches } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, layerNorm, linear, pool, residual } from '../network/layer.ts';
import { emit } from '../ops/index.ts';
import type { Size } from './family.ts';
import { needDivides, perStage } from './stages.ts';
import { inputSize } from './timm.ts';
import { projection } from './vit.ts';

interface Stage {
  width: number;
  depth: number;
  /** How many of its last blocks attend. */
  attend: number;
  kernel: number;
  heads: number;
  /** Into how many parts their channels are split. */
  scales: number;
  positions: boolean;
}

export interface EdgeNext {
  image: readonly [number, number];
  stages: readonly Stage[];
  mlpRatio: number;
  /** Convolutions have biases. */
  biased: boolean;
  /** The stem's windows overlap. */
  overlaps: boolean;
  /** A stage begins with a block that makes the map smaller, without a layer of its own. */
  shrinksInBlocks: boolean;
  /** The last norm is of positions, not of their mean. */
  normFirst: boolean;
}

const EPS = 1e-6;
const HEAD = 'head.fc';
/** Frequencies along each side of a map. */
const BANDS = 16;
const named = (conv: string, { biased }: EdgeNext): ConvNames => ({ conv, eps: 0, ...(biased ? {} : { bare: true }) });

/** x: pixels [B,H,W,C]; returns logits. */
export function edgeNext(b: Builder, x: number, spec: EdgeNext, classes: number): number {
  const { stages, biased } = spec;
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  const [first, last] = [stages[0]!, stages.at(-1)!];
  const cut = (h: number, at: string, width: number, side: number): number =>
    patches(b, h, at, width, [side, side], 'dropped', { bias: biased });
  const stem = spec.overlaps
    ? conv(b, x, named('stem.0', spec), first.width, { kernel: 9, stride: 4, tfPadding: false })
    : cut(x, 'stem.0', first.width, 4);
  let h = layerNorm(b, stem, 'stem.1', EPS);
  let index = 0;
  for (const [s, stage] of stages.entries()) {
    if (index === blocks.count) break;
    const at = `stages.${s}`;
    if (s > 0 && !spec.shrinksInBlocks) h = cut(layerNorm(b, h, `${at}.downsample.0`, EPS), `${at}.downsample.1`, stage.width, 2);
    for (let i = 0; i < stage.depth && index < blocks.count; i++) {
      const entry = enterBlock(b, h, index++, blocks);
      const name = `${at}.blocks.${i}`;
      const shrinks = spec.shrinksInBlocks && s > 0 && i === 0;
      h = i < stage.depth - stage.attend ? convolving(b, entry, name, stage, spec, shrinks) : attending(b, entry, name, stage, spec);
    }
  }
  leaveBlocks(b, blocks);
  // A network that ends before its last stage has no norm of that width.
  const hasNorm = lastDim(b.graph, h) === last.width;
  const norm = (y: number): number => (hasNorm ? layerNorm(b, y, spec.normFirst ? 'norm_pre' : 'head.norm', EPS) : y);
  return classifier(b, spec.normFirst ? pool(b, norm(h), 'pool') : norm(pool(b, h, 'pool')), HEAD, classes);
}

/** Where a block changes the map, what is added to is the convolution's answer. */
function convolving(b: Builder, x: number, name: string, stage: Stage, spec: EdgeNext, shrinks: boolean): number {
  const reads = lastDim(b.graph, x);
  const at = `${name}.conv_dw`;
  const widens = reads !== stage.width;
  const names = { ...named(at, spec), ...(widens ? { spread: reads } : {}) };
  const filtered = conv(b, x, names, stage.width, { kernel: stage.kernel, stride: shrinks ? 2 : 1, tfPadding: false }, !widens);
  return mlp(b, shrinks || widens ? filtered : x, filtered, name, spec);
}

/** base + γ·MLP(norm(x)). */
function mlp(b: Builder, base: number, x: number, name: string, { mlpRatio }: EdgeNext): number {
  const c = lastDim(b.graph, x);
  const wide = linear(b, layerNorm(b, x, `${name}.norm`, EPS), `${name}.mlp.fc1`, Math.floor(mlpRatio * c));
  const y = linear(b, activation(b, wide, `${name}.mlp.act`, Kind.Gelu), `${name}.mlp.fc2`, c);
  layerScale(b, `${name}.mlp.fc2`, `${name}.gamma`);
  return residual(b, base, y, `${name}.add`);
}

function attending(b: Builder, x: number, name: string, stage: Stage, spec: EdgeNext): number {
  const split = cascade(b, x, name, stage, spec);
  const h = stage.positions ? placed(b, split, `${name}.pos_embd.token_projection`) : split;
  const mixed = covariance(b, layerNorm(b, h, `${name}.norm_xca`, EPS), `${name}.xca`, stage.heads);
  const y = linear(b, mixed, `${name}.xca.proj`, stage.width);
  layerScale(b, `${name}.xca.proj`, `${name}.gamma_xca`);
  return mlp(b, x, residual(b, h, y, `${name}.xca.add`), name, spec);
}

/** Each part of the channels but the last is added to what became of the one before, and convolved. */
function cascade(b: Builder, x: number, name: string, { width, scales }: Stage, spec: EdgeNext): number {
  const size = Math.ceil(width / scales);
  const part = (i: number): number =>
    append(b, 'Slice', `${name}.part.${i}`, [x], { axis: -1, from: i * size, count: Math.min(size, width - i * size) });
  const done: number[] = [];
  for (let i = 0; i < scales - 1; i++) {
    const reads = i === 0 ? part(0) : append(b, 'Add', `${name}.sum.${i}`, [done[i - 1]!, part(i)], { scale: 1 });
    done.push(conv(b, reads, named(`${name}.convs.${i}`, spec), size, { kernel: 3, stride: 1, tfPadding: false }, true));
  }
  return append(b, 'Concat', `${name}.parts`, [...done, part(scales - 1)], { axis: 3 });
}

/** Sines and cosines of a pixel's row and column, in the network's width. */
function placed(b: Builder, x: number, name: string): number {
  const [, h, w, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const table = `waves.${h}x${w}`;
  const known = b.weights.get(table);
  const waves = known ?? weight(b, { name: table, shape: [1, h, w, 4 * BANDS], kind: 'scale', role: 'frozen' });
  if (known === undefined)
    emit(b.graph, 'WaveTable', `${table}.made`, [], { h, w, theta: 10000, scale: 2 * Math.PI }, { phase: 'init', updates: [waves] });
  const places = conv(b, waves, { conv: name, eps: 0 }, c, { kernel: 1, stride: 1, tfPadding: false });
  const rows = append(b, 'Reshape', `${name}.rows`, [places], { shape: [h * w, c] });
  return append(b, 'BroadcastAdd', `${name}.add`, [x, rows]);
}

/** Attention of a head's channels to each other, whose rows are their values at all positions, of length 1 in queries and keys. */
function covariance(b: Builder, x: number, at: string, heads: number): number {
  const [batch, h, w, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const [n, d] = [h * w, c / heads];
  const moved = (y: number, as: string, dims: number[], perm: number[], shape: number[]): number =>
    append(b, 'Rearrange', `${at}.${as}`, [y], { dims, perm, shape });
  const part = (i: 0 | 1 | 2): number => projection(b, x, `${at}.qkv`, i, c, { role: PROJECTIONS[i] });
  const unit = (i: 0 | 1): number => {
    const rows = moved(part(i), `${PROJECTIONS[i]}.rows`, [batch, n, c], [0, 2, 1], [batch * c, n]);
    return append(b, 'RmsNorm', `${at}.${PROJECTIONS[i]}.unit`, [rows, -1], { eps: 1e-12, unit: 1 });
  };
  const joined = [batch, d, heads * n];
  const temperature = weight(b, {
    name: `${at}.temperature`,
    shape: [heads],
    kind: 'scale',
    source: { ...whole(`${at}.temperature`, [heads, 1, 1]), ...flat([heads]) },
    layout: { shape: [heads, 1, 1], ...flat([heads]) },
  });
  const byHead = moved(unit(0), 'query.heads', [batch, heads, d, n], [0, 2, 3, 1], [batch, d, n, heads]);
  const scaled = append(b, 'Affine', `${at}.scaled`, [byHead, temperature, -1]);
  const query = moved(scaled, 'query', [batch, d, n, heads], [0, 1, 3, 2], joined);
  const key = moved(unit(1), 'key', [batch, heads, d, n], [0, 2, 1, 3], joined);
  const value = moved(part(2), 'value', [batch, n, heads, d], [0, 3, 2, 1], joined);
  const mixed = append(b, 'CrossAttention', `${at}.attention`, [query, key, value], { heads, pairs: heads, scale: 1 });
  return moved(mixed, 'map', [batch, d, heads, n], [0, 3, 2, 1], [batch, h, w, c]);
}

/** Depths, widths, heads. */
const DESIGNS: Readonly<Record<string, readonly [depths: readonly number[], widths: readonly number[], heads: number]>> = {
  edgenext_xx_small: [[2, 2, 6, 2], [24, 48, 88, 168], 4],
  edgenext_x_small: [[3, 3, 9, 3], [32, 64, 100, 192], 4],
  edgenext_small: [[3, 3, 9, 3], [48, 96, 160, 304], 8],
  edgenext_base: [[3, 3, 9, 3], [80, 160, 288, 584], 8],
  edgenext_small_rw: [[3, 3, 9, 3], [48, 96, 192, 384], 8],
};
export const isEdgeNext = (name: string): boolean => Object.hasOwn(DESIGNS, name);

export function timmEdgeNext(name: string, c: Config, image: Size): EdgeNext {
  const [depthsPreset, widthsPreset, heads] = DESIGNS[name]!;
  const args = section(c, 'model_args');
  const isRw = name.endsWith('_rw');
  absent(args, 'act_layer');
  only(args, 'global_pool', 'avg');
  // How weights are drawn, but that below 0 there are no scales, which its attention cannot do without.
  real(args, 'ls_init_value', 1e-6, Number.MIN_VALUE);
  real(args, 'head_init_scale', 1);
  const of = (key: string, preset: readonly number[], most?: number, least?: number): readonly number[] =>
    perStage(args, key, preset, 4, most, least);
  const depths = of('depths', depthsPreset, MOST_LAYERS).slice(0, 4);
  const [widths, attend] = [of('dims', widthsPreset), of('global_block_counts', [0, 1, 1, 1], MOST_LAYERS, 0)];
  const [kernels, allHeads, scales] = [
    of('kernel_sizes', [3, 5, 7, 9], 63),
    of('heads', [heads, heads, heads, heads]),
    of('d2_scales', [2, 2, 3, 4], 64),
  ];
  const positions = args.get('use_pos_emb') ?? [false, true, false, false];
  if (!Array.isArray(positions) || positions.length < 4 || !positions.every((one) => typeof one === 'boolean'))
    throw new InputError({
      where: args.where,
      what: 'key "use_pos_emb" has a wrong value',
      got: JSON.stringify(positions),
      expected: 'true or false for each of 4 stages',
    });
  const stem = text(args, 'stem_type', isRw ? 'overlap' : 'patch');
  if (stem !== 'overlap') only(args, 'stem_type', 'patch');
  const spec: EdgeNext = {
    image: image ?? inputSize(c) ?? [256, 256],
    stages: depths.map((depth, s) => ({
      ...{ depth, width: widths[s]!, attend: attend[s]!, kernel: kernels[s]!, heads: allHeads[s]!, scales: scales[s]! },
      positions: positions[s] as boolean,
    })),
    mlpRatio: real(args, 'expand_ratio', 4, 0.01, 64),
    biased: flag(args, 'conv_bias', !isRw),
    overlaps: stem === 'overlap',
    shrinksInBlocks: flag(args, 'downsample_block', isRw),
    normFirst: flag(args, 'head_norm_first', false),
  };
  for (const [s, stage] of spec.stages.entries()) checkStage(args.where, spec, stage, s);
  return spec;
}

function checkStage(
  where: string,
  { stages, shrinksInBlocks }: EdgeNext,
  { width, depth, attend, kernel, heads, scales }: Stage,
  s: number,
): void {
  const refuse = (what: string, got: number, expected: string): never => {
    throw new InputError({ where, what: `${what} of stage ${s}`, got, expected });
  };
  if (kernel % 2 === 0) refuse('the kernel', kernel, 'an odd number');
  if (shrinksInBlocks && s > 0) {
    needDivides(where, `channels of stage ${s} are no multiple of those before`, width, stages[s - 1]!.width);
    if (attend >= depth) refuse('blocks that attend', attend, `fewer than its ${depth}, of which the first makes the map smaller`);
  }
  if (attend === 0) return;
  needDivides(where, `channels of stage ${s} do not divide into heads`, width, heads);
  if (scales < 2 || (scales - 1) * Math.ceil(width / scales) >= width)
    refuse('the parts', scales, `from 2 on, as many as ${width} channels make`);
}
