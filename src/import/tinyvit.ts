/** TinyViT (arXiv 2207.10666), timm's: inverted residuals, then attention in windows with a bias by distance, and a convolution between it and the MLP. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { type Config, integers, MOST_LAYERS, only, real, section } from '../formats/config.ts';
import { shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, weight } from '../network/builder.ts';
import { type ConvNames, conv } from '../network/conv.ts';
import { crossAttention, pairRows } from '../network/crossattention.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, dropout, layerNorm, linear, pool, repartition, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { MOST_WINDOW, needDivides, perStage, stagesOf } from './stages.ts';
import { inputSize } from './timm.ts';

interface Stage {
  width: number;
  depth: number;
  heads: number;
  window: number;
}

export interface TinyVit {
  image: readonly [number, number];
  /** The first is of inverted residuals, the others attend. */
  stages: readonly Stage[];
  /** Width of what is between the 1×1 convolutions of an inverted residual, and of an MLP, over the stage's. */
  expansion: number;
  mlpRatio: number;
}

const EPS = 1e-5;
const HEAD = 'head.fc';
const named = (at: string): ConvNames => ({ conv: `${at}.conv`, norm: `${at}.bn`, eps: EPS });
const gelu = (b: Builder, x: number, name: string): number => activation(b, x, `${name}.act`, Kind.Gelu);
const one = (b: Builder, x: number, at: string, out: number, kernel: number, stride = 1, depthwise = false): number =>
  conv(b, x, named(at), out, { kernel, stride, tfPadding: false }, depthwise);

/** x: pixels [B,H,W,C]; returns logits. */
export function tinyVit(b: Builder, x: number, spec: TinyVit, classes: number): number {
  const { stages } = spec;
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  const first = gelu(b, one(b, x, 'patch_embed.conv1', Math.floor(stages[0]!.width / 2), 3, 2), 'patch_embed.conv1');
  let h = one(b, first, 'patch_embed.conv2', stages[0]!.width, 3, 2);
  let index = 0;
  for (const [s, stage] of stages.entries()) {
    if (index === blocks.count) break;
    if (s > 0) h = tower(b, h, `stages.${s}.downsample`, [stage.width, stage.width], 2);
    for (let i = 0; i < stage.depth && index < blocks.count; i++) {
      const name = `stages.${s}.blocks.${i}`;
      const entry = enterBlock(b, h, index++, blocks);
      h = s === 0 ? inverted(b, entry, name, stage.width, spec) : attending(b, entry, name, stage, spec);
    }
  }
  leaveBlocks(b, blocks);
  const pooled = pool(b, h, 'pool');
  // The last norm has the last stage's width: a network that ends early has none.
  return classifier(b, index === total ? layerNorm(b, pooled, 'head.norm', EPS) : pooled, HEAD, classes);
}

/** A 1×1, a depthwise 3×3, a 1×1. */
function tower(b: Builder, x: number, at: string, [inner, out]: readonly [number, number], stride: number): number {
  const wide = gelu(b, one(b, x, `${at}.conv1`, inner, 1), `${at}.conv1`);
  const filtered = gelu(b, one(b, wide, `${at}.conv2`, inner, 3, stride, true), `${at}.conv2`);
  return one(b, filtered, `${at}.conv3`, out, 1);
}

function inverted(b: Builder, x: number, at: string, width: number, { expansion }: TinyVit): number {
  const y = tower(b, x, at, [Math.floor(width * expansion), width], 1);
  return gelu(b, residual(b, x, y, `${at}.add`), at);
}

function attending(b: Builder, x: number, at: string, { width, heads, window }: Stage, spec: TinyVit): number {
  const [, h, w] = shapeOf(b.graph, x) as [number, number, number];
  const [rows, columns] = [Math.ceil(h / window), Math.ceil(w / window)];
  const size = { h, w, c: width, wh: window, ww: window, modh: rows * window, modw: columns * window };
  const cut = { ...size, rows, columns, sy: 0, sx: 0, merge: 0 };
  // What fills a window up is normed and attended to as well.
  const inside = layerNorm(b, repartition(b, 'WindowPartition', x, `${at}.windows`, cut), `${at}.attn.norm`, EPS);
  const mixed = repartition(b, 'WindowReverse', attended(b, inside, `${at}.attn`, heads, window), `${at}.map`, cut);
  const middle = residual(b, x, linear(b, mixed, `${at}.attn.proj`, width), `${at}.add1`);
  const local = one(b, middle, `${at}.local_conv`, width, 3, 1, true);
  const wide = linear(b, layerNorm(b, local, `${at}.mlp.norm`, EPS), `${at}.mlp.fc1`, Math.floor(width * spec.mlpRatio));
  const down = linear(b, gelu(b, wide, `${at}.mlp`), `${at}.mlp.fc2`, width);
  return residual(b, local, dropout(b, down, `${at}.mlp.fc2`), `${at}.add2`);
}

/** The layer of queries, keys and values has each head's beside each other. */
function attended(b: Builder, x: number, at: string, heads: number, window: number): number {
  const [n, t, c] = shapeOf(b.graph, x) as [number, number, number];
  const size = c / heads;
  const fused = append(b, 'Reshape', `${at}.heads`, [linear(b, x, `${at}.qkv`, 3 * c)], { shape: [n, t, heads, 3 * size] });
  const part = (i: number, as: string): number => {
    const own = append(b, 'Slice', `${at}.${as}`, [fused], { axis: -1, from: i * size, count: size });
    return append(b, 'Reshape', `${at}.${as}.joined`, [own], { shape: [n, t, c] });
  };
  const qkv = [part(0, 'query'), part(1, 'key'), part(2, 'value')];
  return crossAttention(b, [...qkv, ...biasesByDistance(b, `${at}.attention_biases`, heads, window)], `${at}.attention`, heads);
}

/** The table of biases of a square's pairs, [heads, distances] in the file, and which of them is every pair's. */
export function biasesByDistance(b: Builder, tensor: string, heads: number, side: number): [table: number, rows: number] {
  const offsets = side * side;
  const layout = { start: 0, dims: [1, heads, offsets] as const, strides: [heads * offsets, 1, heads] as const };
  const source = { tensor, shape: [heads, offsets], ...layout };
  return [weight(b, { name: tensor, shape: [offsets, heads], kind: 'weight', source }), distances(b, side)];
}

/** The row of the table for every pair of places of a window: how far they are apart, down and across. */
const distances = (b: Builder, window: number): number =>
  pairRows(b, `distances.${window}`, window * window, (i, j) => {
    const [down, across] = [Math.floor(i / window) - Math.floor(j / window), (i % window) - (j % window)];
    return Math.abs(down) * window + Math.abs(across);
  });

/** Widths, heads, windows in 7s or 12s and so on, and the share of paths that training leaves out. */
const DESIGNS: Readonly<Record<string, readonly [widths: readonly number[], heads: readonly number[], window: number, path: number]>> = {
  tiny_vit_5m_224: [[64, 128, 160, 320], [2, 4, 5, 10], 7, 0],
  tiny_vit_11m_224: [[64, 128, 256, 448], [2, 4, 8, 14], 7, 0.1],
  tiny_vit_21m_224: [[96, 192, 384, 576], [3, 6, 12, 18], 7, 0.2],
  tiny_vit_21m_384: [[96, 192, 384, 576], [3, 6, 12, 18], 12, 0.1],
  tiny_vit_21m_512: [[96, 192, 384, 576], [3, 6, 12, 18], 16, 0.1],
};
export const isTinyVit = (name: string): boolean => Object.hasOwn(DESIGNS, name);
export const tinyVitPath = (name: string): number => DESIGNS[name]?.[3] ?? 0;

export function timmTinyVit(name: string, c: Config, image: Size): TinyVit {
  const [widthsPreset, headsPreset, window] = DESIGNS[name]!;
  const args = section(c, 'model_args');
  for (const [key, value] of SAME_GRAPH) only(args, key, value);
  const heads = integers(args, 'num_heads', headsPreset);
  const depths = stagesOf(args, integers(args, 'depths', [2, 2, 6, 2], MOST_LAYERS), heads);
  const widths = integers(args, 'embed_dims', widthsPreset);
  const windows = perStage(args, 'window_sizes', [window, window, 2 * window, window], depths.length, MOST_WINDOW);
  if (widths.length !== depths.length)
    throw new InputError({ where: args.where, what: 'stages and widths differ in number', got: `${depths.length} and ${widths.length}` });
  for (const [s, width] of widths.entries())
    if (s > 0) needDivides(args.where, `channels of stage ${s} do not divide into heads`, width, heads[s]!);
  return {
    image: image ?? inputSize(c) ?? [224, 224],
    stages: depths.map((depth, s) => ({ depth, width: widths[s]!, heads: heads[s]!, window: windows[s]! })),
    expansion: real(args, 'mbconv_expand_ratio', 4, 0.01, 64),
    mlpRatio: real(args, 'mlp_ratio', 4, 0.01, 64),
  };
}

/** Settings of timm's TinyVit class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, unknown])[] = [
  ['local_conv_size', 3],
  ['act_layer', 'gelu'],
  ['global_pool', 'avg'],
];
