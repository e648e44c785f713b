/** Hiera (arXiv 2306.00989), timm's: attention in the units that pictures were masked by, then of whole maps, with queries pooled from stage to stage. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, integer, MOST_LAYERS, only, pair, real, section } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, PROJECTIONS } from '../network/builder.ts';
import { conv, layerScale, maxPool } from '../network/conv.ts';
import { crossAttention } from '../network/crossattention.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, embed, layerNorm, linear, pool, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { needDivides, perStage } from './stages.ts';
import { inputSize } from './timm.ts';
import { projection } from './vit.ts';

interface Stage {
  width: number;
  heads: number;
  depth: number;
  /** Its first block halves the map. */
  pools: boolean;
  /** Rows and columns of a unit of the stage's map. */
  unit: number;
  /** Attention stays inside units; the first block's does where that of the stage before does. */
  inUnits: boolean;
}

export interface Hiera {
  image: readonly [number, number];
  /** What its positions are of. */
  trained: readonly [number, number];
  stages: readonly Stage[];
  mlpRatio: number;
  scaled: boolean;
}

const EPS = 1e-6;
/** Pixels from one position to the next, and rows of a unit at first. */
const [STRIDE, UNIT] = [4, 8];

/** x: pixels [B,H,W,C]; returns logits. */
export function hiera(b: Builder, x: number, spec: Hiera, classes: number): number {
  const { stages, image } = spec;
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  const width = stages[0]!.width;
  const cut = conv(b, x, { conv: 'patch_embed.proj', eps: 0 }, width, { kernel: 7, stride: STRIDE, tfPadding: false });
  const grid = [image[0] / STRIDE, image[1] / STRIDE] as const;
  const placed = embed(b, cut, undefined, undefined, { name: 'pos_embed', prefix: 0, from: grid, to: grid, antialias: true });
  let h = append(b, 'Reshape', 'patch_embed.map', [placed], { shape: [shapeOf(b.graph, x)[0]!, ...grid, width] });
  let index = 0;
  for (const [s, stage] of stages.entries())
    for (let i = 0; i < stage.depth && index < blocks.count; i++) {
      const name = `blocks.${index}`;
      const { inUnits } = i === 0 ? stages[Math.max(0, s - 1)]! : stage;
      h = block(b, enterBlock(b, h, index++, blocks), name, { ...stage, inUnits, pools: i === 0 && stage.pools }, spec);
    }
  leaveBlocks(b, blocks);
  const pooled = pool(b, h, 'pool');
  // A network that ends before its last stage has no norm of that width.
  const features = lastDim(b.graph, h) === stages.at(-1)!.width ? layerNorm(b, pooled, 'head.norm', EPS) : pooled;
  return classifier(b, features, 'head.fc', classes);
}

function block(b: Builder, x: number, name: string, stage: Stage, spec: Hiera): number {
  const { width, pools } = stage;
  const normed = layerNorm(b, x, `${name}.norm1`, EPS);
  const halved = (y: number, as: string): number => (pools ? maxPool(b, y, `${name}.${as}`, 2, 2) : y);
  const base = lastDim(b.graph, x) === width ? x : halved(linear(b, normed, `${name}.proj`, width), 'halved');
  const mixed = linear(b, attended(b, normed, `${name}.attn`, stage, halved), `${name}.attn.proj`, width);
  if (spec.scaled) layerScale(b, `${name}.attn.proj`, `${name}.ls1.gamma`);
  const middle = residual(b, base, mixed, `${name}.add1`);
  const wide = linear(b, layerNorm(b, middle, `${name}.norm2`, EPS), `${name}.mlp.fc1`, Math.floor(width * spec.mlpRatio));
  const narrow = linear(b, activation(b, wide, `${name}.mlp.act`, Kind.Gelu), `${name}.mlp.fc2`, width);
  if (spec.scaled) layerScale(b, `${name}.mlp.fc2`, `${name}.ls2.gamma`);
  return residual(b, middle, narrow, `${name}.add2`);
}

/** Queries are `halved` where the block makes the map smaller; keys and values are those of the map before. */
function attended(
  b: Builder,
  x: number,
  at: string,
  { width, heads, unit, inUnits }: Stage,
  halved: (y: number, as: string) => number,
): number {
  const part = (i: 0 | 1 | 2): number => projection(b, x, `${at}.qkv`, i, width, { biasNeverLearns: i === 1, role: PROJECTIONS[i] });
  const query = halved(part(0), 'attn.query.halved');
  const [batch, h, w] = shapeOf(b.graph, query) as [number, number, number];
  const [rows, columns] = inUnits ? [h / unit, w / unit] : [1, 1];
  const parted = (y: number, as: string): number => {
    const [, height, breadth] = shapeOf(b.graph, y) as [number, number, number];
    const [tall, wide] = [height / rows, breadth / columns];
    const dims = [batch, rows, tall, columns, wide, width];
    const shape = [batch * rows * columns, tall * wide, width];
    if (!inUnits) return append(b, 'Reshape', `${at}.${as}`, [y], { shape });
    return append(b, 'Rearrange', `${at}.${as}`, [y], { dims, perm: [0, 1, 3, 2, 4, 5], shape });
  };
  const inputs = [parted(query, 'query'), parted(part(1), 'key'), parted(part(2), 'value')];
  const mixed = crossAttention(b, inputs, `${at}.attention`, heads);
  const shape = [batch, h, w, width];
  if (!inUnits) return append(b, 'Reshape', `${at}.map`, [mixed], { shape });
  const dims = [batch, rows, columns, unit, unit, width];
  return append(b, 'Rearrange', `${at}.map`, [mixed], { dims, perm: [0, 1, 3, 2, 4, 5], shape });
}

/** As a family has it. */
export function checkHiera(where: string, { image, trained }: Hiera): void {
  if (image[0] !== trained[0] || image[1] !== trained[1])
    throw new InputError({
      where,
      what: 'the picture is of another size than its positions',
      got: image.join('x'),
      expected: trained.join('x'),
    });
  if (image.some((n) => n % (STRIDE * UNIT) !== 0))
    throw new InputError({
      where,
      what: 'the picture does not divide into units',
      got: image.join('x'),
      expected: `multiples of ${STRIDE * UNIT}`,
    });
}

/** Width and heads of the first stage, depths. */
const DESIGNS: Readonly<Record<string, readonly [width: number, heads: number, depths: readonly number[]]>> = {
  hiera_tiny_224: [96, 1, [1, 2, 7, 2]],
  hiera_small_224: [96, 1, [1, 2, 11, 2]],
  hiera_base_224: [96, 1, [2, 3, 16, 3]],
  hiera_base_plus_224: [112, 2, [2, 3, 16, 3]],
  hiera_large_224: [144, 2, [2, 6, 36, 4]],
  hiera_huge_224: [256, 4, [2, 6, 36, 4]],
};
export const isHiera = (name: string): boolean => Object.hasOwn(DESIGNS, name);

export function timmHiera(name: string, c: Config, image: Size): Hiera {
  const [widthPreset, headsPreset, depthsPreset] = DESIGNS[name]!;
  const args = section(c, 'model_args');
  for (const [key, ...values] of SAME_GRAPH) only(args, key, ...values);
  absent(args, ...OTHERS);
  // How weights are drawn, and positions that it has none of.
  ignore(args, ['fix_init', 'weight_init', 'head_init_scale', 'global_pos_size']);
  const depths = perStage(args, 'stages', depthsPreset, 4, MOST_LAYERS);
  // A unit is halved as often as there are stages behind the first.
  if (depths.length !== 4)
    throw new InputError({ where: args.where, what: 'unsupported number of stages', got: depths.length, expected: 4 });
  const [width, heads, pools] = [
    integer(args, 'embed_dim', widthPreset, 8192),
    integer(args, 'num_heads', headsPreset, 1024),
    integer(args, 'q_pool', 3, 3),
  ];
  needDivides(args.where, 'channels do not divide into heads', width, heads);
  const units = args.get('mask_unit_attn') ?? [true, true, false, false];
  if (!Array.isArray(units) || units.length < 4 || !units.every((one) => typeof one === 'boolean'))
    throw new InputError({
      where: args.where,
      what: 'key "mask_unit_attn" has a wrong value',
      got: JSON.stringify(units),
      expected: 'true or false for each of 4 stages',
    });
  const trained = pair(args, 'img_size', inputSize(c) ?? 224);
  return {
    image: image ?? trained,
    trained,
    stages: depths.map((depth, s) => ({
      ...{ depth, width: width * 2 ** s, heads: heads * 2 ** s, pools: s > 0 && s <= pools },
      ...{ unit: UNIT / 2 ** Math.min(s, pools), inUnits: units[s] as boolean },
    })),
    mlpRatio: real(args, 'mlp_ratio', 4, 0.01, 64),
    scaled: typeof args.get('init_values') === 'number',
  };
}

/** Settings of timm's Hiera class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, ...unknown[]])[] = [
  ['global_pool', 'avg'],
  ['use_expand_proj', true],
  ['dim_mul', 2],
  ['head_mul', 2],
  ['sep_pos_embed', false],
  ['abs_win_pos_embed', false],
  ['norm_layer', 'LayerNorm'],
];
const OTHERS = ['q_stride', 'mask_unit_size', 'patch_kernel', 'patch_stride', 'patch_padding'];
