/** PVTv2 (arXiv 2106.13797): overlapping patches, attention to a reduced map, MLPs with a depthwise convolution. transformers and timm. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integers, MOST_LAYERS, only, pair, real, section } from '../formats/config.ts';
import { shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, PROJECTIONS } from '../network/builder.ts';
import { conv, patches } from '../network/conv.ts';
import { crossAttention } from '../network/crossattention.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, dropout, layerNorm, linear, pool, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { activationOf } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { needDivides, perStage, stagesOf } from './stages.ts';
import { inputSize } from './timm.ts';

interface Stage {
  width: number;
  depth: number;
  heads: number;
  mlp: number;
  /** Keys and values are of a map that is this much smaller along each side. */
  reduction: number;
  patch: number;
  stride: number;
}

interface BlockNames {
  norm1: string;
  q: string;
  /** One layer that gives both, or two. */
  kv: string | readonly [string, string];
  reduce: string;
  reduceNorm: string;
  out: string;
  norm2: string;
  fc1: string;
  filter: string;
  fc2: string;
}

export interface Pvt {
  image: readonly [number, number];
  stages: readonly Stage[];
  /** Of the norms behind patches and reductions, and of the others. */
  innerEps: number;
  eps: number;
  activation: Kind;
  qkvBias: boolean;
  names: {
    patches(s: number): { conv: string; norm: string };
    block(s: number, i: number): BlockNames;
    norm(s: number): string;
    head: string;
  };
}

/** x: pixels [B,H,W,C]; returns logits. */
export function pvt(b: Builder, x: number, spec: Pvt, classes: number): number {
  const { names, stages } = spec;
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  let [h, index, ended] = [x, 0, 0];
  for (const [s, stage] of stages.entries()) {
    if (index === blocks.count) break;
    if (s > 0) h = layerNorm(b, h, names.norm(s - 1), spec.eps);
    const { conv: name, norm } = names.patches(s);
    const cut = conv(b, h, { conv: name, eps: 0 }, stage.width, { kernel: stage.patch, stride: stage.stride, tfPadding: false });
    h = layerNorm(b, cut, norm, spec.innerEps);
    for (let i = 0; i < stage.depth && index < blocks.count; i++)
      h = block(b, enterBlock(b, h, index++, blocks), spec, stage, names.block(s, i));
    ended = s;
  }
  leaveBlocks(b, blocks);
  const isWhole = index === stages.slice(0, ended + 1).reduce((n, { depth }) => n + depth, 0);
  const normed = isWhole ? layerNorm(b, h, names.norm(ended), spec.eps) : h;
  return classifier(b, pool(b, normed, 'pool'), names.head, classes);
}

function block(b: Builder, x: number, spec: Pvt, { width: c, heads, mlp, reduction }: Stage, names: BlockNames): number {
  const { eps, qkvBias } = spec;
  const [batch, rows, columns] = shapeOf(b.graph, x) as [number, number, number];
  const flat = (y: number, as: string): number => {
    const [, h, w] = shapeOf(b.graph, y) as [number, number, number];
    return append(b, 'Reshape', `${names.out}.${as}`, [y], { shape: [batch, h * w, c] });
  };
  const h = layerNorm(b, x, names.norm1, eps);
  const q = flat(linear(b, h, names.q, c, { bias: qkvBias, role: PROJECTIONS[0] }), 'query');
  const seen = reduction === 1 ? h : layerNorm(b, patches(b, h, names.reduce, c, [reduction, reduction]), names.reduceNorm, spec.innerEps);
  const part = (i: 0 | 1): number => {
    const options = { bias: qkvBias, biasNeverLearns: i === 0, role: PROJECTIONS[i + 1]! };
    const rowsOf = { start: i * c, of: 2 * c };
    return typeof names.kv === 'string'
      ? linear(b, seen, names.kv, c, { ...options, rows: rowsOf })
      : linear(b, seen, names.kv[i]!, c, options);
  };
  const mixed = crossAttention(b, [q, flat(part(0), 'key'), flat(part(1), 'value')], `${names.out}.attention`, heads);
  const map = append(b, 'Reshape', `${names.out}.map`, [mixed], { shape: [batch, rows, columns, c] });
  const middle = residual(b, x, dropout(b, linear(b, map, names.out, c), names.out), `${names.out}.add`);
  const wide = linear(b, layerNorm(b, middle, names.norm2, eps), names.fc1, mlp);
  const filtered = conv(b, wide, { conv: names.filter, eps: 0 }, mlp, { kernel: 3, stride: 1, tfPadding: false }, true);
  const down = linear(b, activation(b, filtered, `${names.fc1}.act`, spec.activation), names.fc2, c);
  return residual(b, middle, dropout(b, down, names.fc2), `${names.fc2}.add`);
}

/** As a family has it. */
export function checkPvt(where: string, { image, stages }: Pvt): void {
  let [h, w] = image;
  for (const [s, { width, heads, stride, reduction }] of stages.entries()) {
    needDivides(where, `channels of stage ${s} do not divide into heads`, width, heads);
    [h, w] = [Math.ceil(h / stride), Math.ceil(w / stride)];
    if (Math.min(h, w) < reduction)
      throw new InputError({
        where,
        what: 'image size is too small',
        got: image.join('x'),
        expected: `maps of at least ${reduction}x${reduction} in stage ${s}`,
      });
  }
}

/** `model_type` pvt_v2. */
export function hfPvt(c: Config, image: Size): Pvt {
  const p = backbonePrefix(c);
  const numbers = (key: string, preset: readonly number[], most?: number): readonly number[] => integers(c, key, preset, most);
  const heads = numbers('num_attention_heads', [1, 2, 5, 8]);
  const depths = stagesOf(c, numbers('depths', [2, 2, 2, 2], MOST_LAYERS), heads);
  only(c, 'num_encoder_blocks', depths.length);
  only(c, 'linear_attention', false);
  const lists = {
    hidden_sizes: numbers('hidden_sizes', [32, 64, 160, 256]),
    sr_ratios: numbers('sr_ratios', [8, 4, 2, 1], 64),
    patch_sizes: numbers('patch_sizes', [7, 3, 3, 3], 63),
    strides: numbers('strides', [4, 2, 2, 2], 64),
    mlp_ratios: numbers('mlp_ratios', [8, 8, 4, 4], 64),
  };
  for (const [key, list] of Object.entries(lists))
    if (list.length !== depths.length || (key === 'patch_sizes' && list.some((n) => n % 2 === 0)))
      throw new InputError({
        where: c.where,
        what: `key "${key}" has a wrong value`,
        got: `[${list}]`,
        expected: `${depths.length} numbers, of patches odd ones`,
      });
  const eps = real(c, 'layer_norm_eps', 1e-6);
  const own = pair(c, 'image_size', 224);
  return {
    image: image ?? own,
    stages: depths.map((depth, s) => ({
      ...{ depth, heads: heads[s]!, width: lists.hidden_sizes[s]!, reduction: lists.sr_ratios[s]! },
      ...{ mlp: Math.floor(lists.hidden_sizes[s]! * lists.mlp_ratios[s]!), patch: lists.patch_sizes[s]!, stride: lists.strides[s]! },
    })),
    innerEps: eps,
    eps,
    activation: activationOf(c, 'gelu'),
    qkvBias: flag(c, 'qkv_bias', true),
    names: {
      patches: (s) => ({
        conv: `${p}encoder.layers.${s}.patch_embedding.proj`,
        norm: `${p}encoder.layers.${s}.patch_embedding.layer_norm`,
      }),
      block(s, i) {
        const l = `${p}encoder.layers.${s}.blocks.${i}`;
        const a = `${l}.attention`;
        return {
          ...{ norm1: `${l}.layer_norm_1`, q: `${a}.query`, kv: [`${a}.key`, `${a}.value`], out: `${a}.proj` },
          ...{ reduce: `${a}.spatial_reduction`, reduceNorm: `${a}.layer_norm`, norm2: `${l}.layer_norm_2` },
          ...{ fc1: `${l}.mlp.dense1`, filter: `${l}.mlp.dwconv.dwconv`, fc2: `${l}.mlp.dense2` },
        };
      },
      norm: (s) => `${p}encoder.layers.${s}.layer_norm`,
      head: 'classifier',
    },
  };
}

/** Depths, width of the first stage in 32s, and MLP ratios. */
const DESIGNS: Readonly<Record<string, readonly [depths: readonly number[], wide: number, ratios: readonly number[]]>> = {
  pvt_v2_b0: [[2, 2, 2, 2], 1, [8, 8, 4, 4]],
  pvt_v2_b1: [[2, 2, 2, 2], 2, [8, 8, 4, 4]],
  pvt_v2_b2: [[3, 4, 6, 3], 2, [8, 8, 4, 4]],
  pvt_v2_b3: [[3, 4, 18, 3], 2, [8, 8, 4, 4]],
  pvt_v2_b4: [[3, 8, 27, 3], 2, [8, 8, 4, 4]],
  pvt_v2_b5: [[3, 6, 40, 3], 2, [4, 4, 4, 4]],
};
export const isTimmPvt = (name: string): boolean => Object.hasOwn(DESIGNS, name);

export function timmPvt(name: string, c: Config, image: Size): Pvt {
  const [depthsPreset, wide, ratiosPreset] = DESIGNS[name]!;
  const args = section(c, 'model_args');
  absent(args, 'norm_layer');
  only(args, 'linear', false);
  only(args, 'global_pool', 'avg');
  const heads = integers(args, 'num_heads', [1, 2, 5, 8]);
  const depths = stagesOf(args, integers(args, 'depths', depthsPreset, MOST_LAYERS), heads);
  const of = (key: string, preset: readonly number[], most?: number): readonly number[] => perStage(args, key, preset, depths.length, most);
  const widths = of(
    'embed_dims',
    [32, 64, 160, 256].map((n) => n * wide),
  );
  const [ratios, reductions] = [of('mlp_ratios', ratiosPreset, 64), of('sr_ratios', [8, 4, 2, 1], 64)];
  return {
    image: image ?? inputSize(c) ?? [224, 224],
    stages: depths.map((depth, s) => ({
      ...{ depth, heads: heads[s]!, width: widths[s]!, mlp: Math.floor(widths[s]! * ratios[s]!), reduction: reductions[s]! },
      ...(s === 0 ? { patch: 7, stride: 4 } : { patch: 3, stride: 2 }),
    })),
    innerEps: 1e-5,
    eps: 1e-6,
    activation: Kind.Gelu,
    qkvBias: flag(args, 'qkv_bias', true),
    names: {
      patches: (s) => {
        const at = s === 0 ? 'patch_embed' : `stages.${s}.downsample`;
        return { conv: `${at}.proj`, norm: `${at}.norm` };
      },
      block(s, i) {
        const l = `stages.${s}.blocks.${i}`;
        const a = `${l}.attn`;
        return {
          ...{ norm1: `${l}.norm1`, q: `${a}.q`, kv: `${a}.kv`, reduce: `${a}.sr`, reduceNorm: `${a}.norm`, out: `${a}.proj` },
          ...{ norm2: `${l}.norm2`, fc1: `${l}.mlp.fc1`, filter: `${l}.mlp.dwconv`, fc2: `${l}.mlp.fc2` },
        };
      },
      norm: (s) => `stages.${s}.norm`,
      head: 'head',
    },
  };
}
