/** MobileViT (arXiv 2110.02178): inverted residuals, and layers in which patches' pixels attend to those in the same place of other patches. */

import { Resizing } from '../../assembly/abi/ops/resize.ts';
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integer, integers, only, pair, real, section } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, PROJECTIONS } from '../network/builder.ts';
import { type ConvNames, conv } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, attention, classifier, dropout, layerNorm, linear, pool, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { activationOf, blockNames, divisible, roundHalfEven } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { needDivides } from './stages.ts';
import { inputSize } from './timm.ts';
import { type BlockNames, projection } from './vit.ts';

/** A 1×1, a depthwise 3×3, a 1×1. */
export interface Inverted {
  kind: 'inverted';
  names: readonly [ConvNames, ConvNames, ConvNames];
  inner: number;
  out: number;
  stride: number;
}

/** Transformer blocks over the patches of a map, between convolutions; what comes out is put beside what came in. */
interface Attending {
  kind: 'attending';
  local: ConvNames;
  widen: ConvNames;
  dim: number;
  mlp: number;
  layers: BlockNames[];
  norm: string;
  narrow: ConvNames;
  fusion: ConvNames;
}

export interface MobileVit {
  image: readonly [number, number];
  stem: { names: ConvNames; out: number };
  blocks: (Inverted | Attending)[];
  last: { names: ConvNames; out: number };
  patch: number;
  heads: number;
  kernel: number;
  eps: number;
  qkvBias: boolean;
  activation: Kind;
  head: string;
}

/** x: pixels [B,H,W,C]; returns logits. */
export function mobileVit(b: Builder, x: number, spec: MobileVit, classes: number): number {
  const total = spec.blocks.length;
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  let h = active(b, one(b, x, spec.stem.names, spec.stem.out, 3, 2), spec.stem.names, spec);
  for (const [i, block] of spec.blocks.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    h = block.kind === 'inverted' ? inverted(b, entry, block, spec) : attending(b, entry, block, spec);
  }
  leaveBlocks(b, blocks);
  if (b.method.depth === undefined) h = active(b, one(b, h, spec.last.names, spec.last.out, 1), spec.last.names, spec);
  return classifier(b, pool(b, h, 'pool'), spec.head, classes);
}

type Active = Pick<MobileVit, 'activation'>;
export const active = (b: Builder, x: number, { conv: name }: ConvNames, { activation: kind }: Active): number =>
  activation(b, x, `${name}.act`, kind);

export const one = (b: Builder, x: number, names: ConvNames, out: number, kernel: number, stride = 1, depthwise = false): number =>
  conv(b, x, names, out, { kernel, stride, tfPadding: false }, depthwise);

export function inverted(b: Builder, x: number, { names: [expand, filter, reduce], inner, out, stride }: Inverted, spec: Active): number {
  const wide = active(b, one(b, x, expand, inner, 1), expand, spec);
  const y = one(b, active(b, one(b, wide, filter, inner, 3, stride, true), filter, spec), reduce, out, 1);
  return stride === 1 && lastDim(b.graph, x) === out ? residual(b, x, y, `${reduce.conv}.add`) : y;
}

function attending(b: Builder, x: number, block: Attending, spec: MobileVit): number {
  const { patch: p, kernel } = spec;
  const c = lastDim(b.graph, x);
  const name = block.norm;
  const local = active(b, one(b, x, block.local, c, kernel), block.local, spec);
  const map = one(b, local, block.widen, block.dim, 1);
  const [batch, h, w] = shapeOf(b.graph, map) as [number, number, number];
  // A map that patches do not cover is resized, and back again.
  const [rows, columns] = [Math.ceil(h / p), Math.ceil(w / p)];
  const fits = rows * p === h && columns * p === w;
  const sized = (y: number, oh: number, ow: number, as: string): number =>
    fits ? y : append(b, 'Resize', `${name}.${as}`, [y], { oh, ow, mode: Resizing.Centre });
  // [B,H,W,C] becomes [B, place in its patch × patch, C].
  const cut = {
    dims: [batch, rows, p, columns, p, block.dim],
    perm: [0, 2, 4, 1, 3, 5],
    shape: [batch, p * p * rows * columns, block.dim],
  };
  let t = append(b, 'Rearrange', `${name}.patches`, [sized(map, rows * p, columns * p, 'fitted')], cut);
  for (const layer of block.layers) t = transformer(b, t, layer, block, spec);
  t = layerNorm(b, t, block.norm, spec.eps);
  const whole = {
    dims: [batch, p, p, rows, columns, block.dim],
    perm: [0, 3, 1, 4, 2, 5],
    shape: [batch, rows * p, columns * p, block.dim],
  };
  const folded = sized(append(b, 'Rearrange', `${name}.map`, [t], whole), h, w, 'unfitted');
  const narrow = active(b, one(b, folded, block.narrow, c, 1), block.narrow, spec);
  const both = append(b, 'Concat', `${name}.both`, [x, narrow], { axis: 3 });
  return active(b, one(b, both, block.fusion, c, kernel), block.fusion, spec);
}

function transformer(b: Builder, x: number, names: Attending['layers'][number], { dim, mlp }: Attending, spec: MobileVit): number {
  const [batch, rows] = shapeOf(b.graph, x) as [number, number];
  const places = spec.patch ** 2;
  const h = layerNorm(b, x, names.norm1, spec.eps);
  const shaped = (y: number, shape: number[], as: string): number => append(b, 'Reshape', `${names.out}.${as}`, [y], { shape });
  const part = (i: 0 | 1 | 2): number => {
    const y = projection(b, h, names.qkv, i, dim, { bias: spec.qkvBias, biasNeverLearns: i === 1, role: PROJECTIONS[i] });
    return shaped(y, [batch * places, rows / places, dim], PROJECTIONS[i]);
  };
  const mixed = shaped(attention(b, part(0), part(1), part(2), `${names.out}.attention`, spec.heads), [batch, rows, dim], 'joined');
  const middle = residual(b, x, dropout(b, linear(b, mixed, names.out, dim), names.out), `${names.out}.add`);
  const hidden = activation(b, linear(b, layerNorm(b, middle, names.norm2, spec.eps), names.fc1, mlp), `${names.fc1}.act`, spec.activation);
  return residual(b, middle, dropout(b, linear(b, hidden, names.fc2, dim), names.fc2), `${names.fc2}.add`);
}

/** Blocks of the three stages with attention. */
const DEPTHS = [2, 4, 3];

/** `model_type` mobilevit. */
export function hfMobileVit(c: Config, image: Size): MobileVit {
  const p = backbonePrefix(c);
  const own = pair(c, 'image_size', 256);
  only(c, 'output_stride', 32);
  // Of what cuts pictures into parts.
  ignore(c, ['aspp_out_channels', 'atrous_rates', 'aspp_dropout_prob', 'semantic_loss_ignore_index']);
  const widths = integers(c, 'neck_hidden_sizes', [16, 32, 64, 96, 128, 160, 640]);
  const dims = integers(c, 'hidden_sizes', [144, 192, 240]);
  if (widths.length !== 7 || dims.length !== 3)
    throw new InputError({
      where: c.where,
      what: 'sizes of other than three stages',
      got: `[${widths}] and [${dims}]`,
      expected: 'seven and three numbers',
    });
  const [ratio, expansion] = [real(c, 'mlp_ratio', 2, 0.01, 64), real(c, 'expand_ratio', 4, 0.01, 64)];
  const named = (l: string): ConvNames => ({ conv: `${l}.convolution`, norm: `${l}.normalization`, eps: 1e-5 });
  const block = (l: string, reads: number, out: number, stride: number): Inverted => ({
    ...{ kind: 'inverted', names: [named(`${l}.expand_1x1`), named(`${l}.conv_3x3`), named(`${l}.reduce_1x1`)] },
    ...{ inner: divisible(roundHalfEven(reads * expansion), 8, 8), out, stride },
  });
  const layer = (s: number): string => `${p}encoder.layer.${s}`;
  const attend = (s: number, dim: number, depth: number): Attending => hfAttending(layer(s), named, dim, Math.floor(dim * ratio), depth);
  return checked(c, {
    image: image ?? own,
    stem: { names: named(`${p}conv_stem`), out: widths[0]! },
    blocks: [
      block(`${layer(0)}.layer.0`, widths[0]!, widths[1]!, 1),
      ...[0, 1, 2].map((i) => block(`${layer(1)}.layer.${i}`, widths[i === 0 ? 1 : 2]!, widths[2]!, i === 0 ? 2 : 1)),
      ...DEPTHS.flatMap((depth, i) => [
        block(`${layer(i + 2)}.downsampling_layer`, widths[i + 2]!, widths[i + 3]!, 2),
        attend(i + 2, dims[i]!, depth),
      ]),
    ],
    last: { names: named(`${p}conv_1x1_exp`), out: widths[6]! },
    patch: integer(c, 'patch_size', 2, 64),
    heads: integer(c, 'num_attention_heads', 4),
    kernel: integer(c, 'conv_kernel_size', 3, 15),
    eps: real(c, 'layer_norm_eps', 1e-5),
    qkvBias: flag(c, 'qkv_bias', true),
    activation: activationOf(c, 'silu'),
    head: 'classifier',
  });
}

/** Names of a layer of transformers'. */
const hfAttending = (at: string, named: (l: string) => ConvNames, dim: number, mlp: number, depth: number): Attending => ({
  kind: 'attending',
  local: named(`${at}.conv_kxk`),
  widen: { conv: `${at}.conv_1x1.convolution`, bare: true, eps: 0 },
  dim,
  mlp,
  layers: Array.from({ length: depth }, (_, i) => blockNames(`${at}.transformer.layer.${i}`)),
  norm: `${at}.layernorm`,
  narrow: named(`${at}.conv_projection`),
  fusion: named(`${at}.fusion`),
});

function checked(c: Config, spec: MobileVit): MobileVit {
  for (const block of spec.blocks)
    if (block.kind === 'attending') needDivides(c.where, 'hidden size does not divide into heads', block.dim, spec.heads);
  return spec;
}

/** Channels of the stages, expansion, dimensions of the transformers, channels of the last convolution. */
const TIMM: Readonly<Record<string, readonly [number[], number, number[], number]>> = {
  mobilevit_xxs: [[16, 24, 48, 64, 80], 2, [64, 80, 96], 320],
  mobilevit_xs: [[32, 48, 64, 80, 96], 4, [96, 120, 144], 384],
  mobilevit_s: [[32, 64, 96, 128, 160], 4, [144, 192, 240], 640],
};
export const isTimmMobileVit = (name: string): boolean => Object.hasOwn(TIMM, name);

/** Refuses settings of timm's ByobNet that make another graph. */
export function sameGraph(c: Config): void {
  const args = section(c, 'model_args');
  for (const [key, value] of [
    ['output_stride', 32],
    ['global_pool', 'avg'],
    ['act_layer', 'silu'],
    ['norm_layer', 'batchnorm'],
    ['drop_block_rate', 0],
    // Its paths would be those inside a layer.
    ['drop_path_rate', 0],
  ] as const)
    only(args, key, value);
  absent(args, 'blocks', 'stem_chs', 'stem_type', 'width_factor', 'num_features', 'aa_layer', 'attn_layer', 'block_kwargs', 'head_type');
}

export const timmNamed = (l: string): ConvNames => ({ conv: `${l}.conv`, norm: `${l}.bn`, eps: 1e-5 });
export const timmInverted = (l: string, inner: number, out: number, stride: number): Inverted => ({
  ...{ kind: 'inverted', names: [timmNamed(`${l}.conv1_1x1`), timmNamed(`${l}.conv2_kxk`), timmNamed(`${l}.conv3_1x1`)] },
  ...{ inner, out, stride },
});

export function timmMobileVit(name: string, c: Config, image: Size): MobileVit {
  const [widths, expansion, dims, last] = TIMM[name]!;
  sameGraph(c);
  const block = (l: string, reads: number, out: number, stride: number): Inverted =>
    timmInverted(l, divisible(reads * expansion, 8, 8), out, stride);
  const attend = (l: string, dim: number, depth: number): Attending => ({
    kind: 'attending',
    local: timmNamed(`${l}.conv_kxk`),
    widen: { conv: `${l}.conv_1x1`, bare: true, eps: 0 },
    dim,
    mlp: 2 * dim,
    layers: Array.from({ length: depth }, (_, i) => {
      const t = `${l}.transformer.${i}`;
      return {
        norm1: `${t}.norm1`,
        norm2: `${t}.norm2`,
        qkv: `${t}.attn.qkv`,
        out: `${t}.attn.proj`,
        fc1: `${t}.mlp.fc1`,
        fc2: `${t}.mlp.fc2`,
      };
    }),
    norm: `${l}.norm`,
    narrow: timmNamed(`${l}.conv_proj`),
    fusion: timmNamed(`${l}.conv_fusion`),
  });
  const [first, second] = widths as [number, number];
  return {
    image: image ?? inputSize(c) ?? [256, 256],
    stem: { names: timmNamed('stem'), out: 16 },
    blocks: [
      block('stages.0.0', 16, first, 1),
      ...[0, 1, 2].map((i) => block(`stages.1.${i}`, i === 0 ? first : second, second, i === 0 ? 2 : 1)),
      ...DEPTHS.flatMap((depth, i) => [
        block(`stages.${i + 2}.0`, widths[i + 1]!, widths[i + 2]!, 2),
        attend(`stages.${i + 2}.1`, dims[i]!, depth),
      ]),
    ],
    last: { names: timmNamed('final_conv'), out: last },
    ...{ patch: 2, heads: 4, kernel: 3, eps: 1e-5, qkvBias: true, activation: Kind.Silu, head: 'head.fc' },
  };
}
