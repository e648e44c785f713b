/**
 * FastViT (arXiv 2303.14189) and the towers for pictures of MobileCLIP, timm's: convolutions of several branches, which are merged before the first step
 * or come merged in the file (`reparam_conv`), mixers that are one depthwise convolution at inference, and attention in the last stages.
 */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, MOST_LAYERS, only, real, section } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, PROJECTIONS } from '../network/builder.ts';
import { type Branch, type ConvNames, conv, layerScale } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, add, attention, batchNorm, classifier, layerNorm, linear, pool, residual } from '../network/layer.ts';
import { type Squeeze, squeezeExcite } from './chain.ts';
import type { Size } from './family.ts';
import { divisible } from './huggingface.ts';
import { holds } from './published.ts';
import { needDivides, perStage } from './stages.ts';
import { inputSize } from './timm.ts';
import { projection } from './vit.ts';

interface Stage {
  depth: number;
  width: number;
  mlp: number;
  attends: boolean;
  /** A depthwise convolution of the map as positions. */
  positions: boolean;
  /** The layer before it weighs its channels. */
  weighs: boolean;
}

export interface FastVit {
  image: readonly [number, number];
  stages: readonly Stage[];
  /** An activation behind the wide convolutions between stages. */
  activeBetween: boolean;
  /** The stem's convolutions have a branch of one tap. */
  stemScales: boolean;
  /** Attention is normed by each position's channels, not by standing statistics. */
  layerNorms: boolean;
  /** The blocks' layers have scales. */
  scaled: boolean;
  /** Channels of the last convolution. */
  last: number;
  isMerged: boolean;
}

/** A convolution of several branches. */
interface Rep {
  out: number;
  kernel: number;
  stride?: number;
  /** Each channel by itself, of which each may give several. */
  apart?: boolean;
  /** No branch of one tap. */
  unscaled?: boolean;
  squeeze?: Squeeze;
}

const EPS = 1e-5;
const HEAD_DIM = 32;
const HEAD = 'head.fc';
const gelu = (b: Builder, x: number, name: string): number => activation(b, x, `${name}.act`, Kind.Gelu);
const plain = (name: string): ConvNames => ({ conv: name, eps: 0 });
const branch = (at: string, kernel: number): Branch => ({ conv: `${at}.conv`, norm: `${at}.bn`, kernel });

/** x: pixels [B,H,W,C]; returns logits. */
export function fastVit(b: Builder, x: number, spec: FastVit, classes: number): number {
  const { stages } = spec;
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  const stem = { out: stages[0]!.width, unscaled: !spec.stemScales };
  let h = mobileOne(b, x, 'stem.0', { ...stem, kernel: 3, stride: 2 }, spec);
  h = mobileOne(b, h, 'stem.1', { ...stem, kernel: 3, stride: 2, apart: true }, spec);
  h = mobileOne(b, h, 'stem.2', { ...stem, kernel: 1 }, spec);
  let index = 0;
  for (const [s, stage] of stages.entries()) {
    if (index === blocks.count) break;
    if (s > 0) h = between(b, h, `stages.${s}.downsample.proj`, stage, spec);
    if (stage.positions) h = positioned(b, h, `stages.${s}.pos_emb`, spec);
    for (let i = 0; i < stage.depth && index < blocks.count; i++) {
      const entry = enterBlock(b, h, index++, blocks);
      const name = `stages.${s}.blocks.${i}`;
      h = stage.attends ? attending(b, entry, name, stage, spec) : mixing(b, entry, name, stage, spec);
    }
  }
  leaveBlocks(b, blocks);
  if (b.method.depth !== undefined) return classifier(b, pool(b, h, 'pool'), HEAD, classes);
  const squeeze = weighing('final_conv', divisible(spec.last / 16, 1, 1, 0));
  const features = mobileOne(b, h, 'final_conv', { out: spec.last, kernel: 3, apart: true, squeeze }, spec);
  return classifier(b, pool(b, features, 'pool'), HEAD, classes);
}

const weighing = (at: string, width: number): Squeeze => ({
  ...{ reduce: `${at}.se.fc1`, expand: `${at}.se.fc2`, width, activation: Kind.Relu, gate: Kind.Sigmoid },
});

/** One convolution for the branches of a file that has them. */
function rep(b: Builder, x: number, at: string, { out, kernel, stride = 1, apart }: Rep, branches: Branch[], isMerged: boolean): number {
  const reads = lastDim(b.graph, x);
  const names = { conv: `${at}.reparam_conv`, eps: EPS, ...(isMerged ? {} : { branches }) };
  const several = apart && out !== reads;
  return conv(b, x, several ? { ...names, spread: reads } : names, out, { kernel, stride, tfPadding: false }, apart && !several);
}

function mobileOne(b: Builder, x: number, at: string, layer: Rep, { isMerged }: FastVit): number {
  const { out, kernel, stride = 1, unscaled, squeeze } = layer;
  const stays = stride === 1 && lastDim(b.graph, x) === out;
  const branches = [
    branch(`${at}.conv_kxk.0`, kernel),
    ...(kernel > 1 && !unscaled ? [branch(`${at}.conv_scale`, 1)] : []),
    ...(stays ? [{ norm: `${at}.identity`, kernel: 0 }] : []),
  ];
  const y = rep(b, x, at, layer, branches, isMerged);
  return gelu(b, squeeze ? squeezeExcite(b, y, squeeze) : y, at);
}

/** From stage to stage: a wide convolution of each channel by itself, and a small one inside it, then a 1×1. */
function between(b: Builder, x: number, at: string, { width, weighs }: Stage, spec: FastVit): number {
  const wide = `${at}.0`;
  const branches = [branch(`${wide}.large_conv`, WIDE), branch(`${wide}.small_conv`, 3)];
  let h = rep(b, x, wide, { out: width, kernel: WIDE, stride: 2, apart: true }, branches, spec.isMerged);
  if (weighs) h = squeezeExcite(b, h, weighing(wide, divisible(width / 4, 8, 8, 0)));
  if (spec.activeBetween) h = gelu(b, h, wide);
  return mobileOne(b, h, `${at}.1`, { out: width, kernel: 1 }, spec);
}
const WIDE = 7;

function positioned(b: Builder, x: number, at: string, { isMerged }: FastVit): number {
  const window = { kernel: WIDE, stride: 1, tfPadding: false };
  const encoded = (part: string): number => conv(b, x, plain(`${at}.${part}`), lastDim(b.graph, x), window, true);
  return isMerged ? encoded('reparam_conv') : add(b, x, encoded('pos_enc'), `${at}.add`);
}

/** x + γ·(mixer - norm), of which all is one depthwise convolution. */
function mixing(b: Builder, x: number, name: string, stage: Stage, spec: FastVit): number {
  const at = `${name}.token_mixer`;
  const scale = spec.scaled ? { scale: `${at}.layer_scale.gamma` } : {};
  const branches: Branch[] = [
    { ...branch(`${at}.mixer.conv_kxk.0`, 3), ...scale },
    { ...branch(`${at}.mixer.conv_scale`, 1), ...scale },
    { norm: `${at}.mixer.identity`, kernel: 0, ...scale },
    { norm: `${at}.norm.identity`, kernel: 0, isTaken: true, ...scale },
    { kernel: 0 },
  ];
  const mixed = rep(b, x, at, { out: stage.width, kernel: 3, apart: true }, branches, spec.isMerged);
  return mlp(b, mixed, name, stage, spec.scaled ? `${name}.layer_scale.gamma` : undefined);
}

function mlp(b: Builder, x: number, name: string, { width, mlp: inner }: Stage, gamma: string | undefined): number {
  const at = `${name}.mlp`;
  const window = { kernel: WIDE, stride: 1, tfPadding: false };
  const filtered = conv(b, x, { conv: `${at}.conv.conv`, norm: `${at}.conv.bn`, eps: EPS }, width, window, true);
  const one = (h: number, as: string, out: number): number =>
    conv(b, h, plain(`${at}.${as}`), out, { kernel: 1, stride: 1, tfPadding: false });
  const y = one(gelu(b, one(filtered, 'fc1', inner), `${at}.fc1`), 'fc2', width);
  if (gamma !== undefined) layerScale(b, `${at}.fc2`, gamma, 3);
  return residual(b, x, y, `${at}.add`);
}

function attending(b: Builder, x: number, name: string, stage: Stage, spec: FastVit): number {
  const { width } = stage;
  const [batch, rows, columns] = shapeOf(b.graph, x) as [number, number, number];
  const at = `${name}.token_mixer`;
  const normed = spec.layerNorms ? layerNorm(b, x, `${name}.norm`, EPS) : batchNorm(b, x, `${name}.norm`, EPS);
  const part = (i: 0 | 1 | 2): number => {
    const y = projection(b, normed, `${at}.qkv`, i, width, { bias: false, biasNeverLearns: i === 1, role: PROJECTIONS[i] });
    return append(b, 'Reshape', `${at}.${PROJECTIONS[i]}`, [y], { shape: [batch, rows * columns, width] });
  };
  const mixed = attention(b, part(0), part(1), part(2), `${at}.attention`, width / HEAD_DIM);
  const map = append(b, 'Reshape', `${at}.map`, [mixed], { shape: [batch, rows, columns, width] });
  const y = linear(b, map, `${at}.proj`, width);
  if (spec.scaled) layerScale(b, `${at}.proj`, `${name}.layer_scale_1.gamma`, 3);
  return mlp(b, residual(b, x, y, `${name}.add`), name, stage, spec.scaled ? `${name}.layer_scale_2.gamma` : undefined);
}

/** Depths, width of the first stage, MLP ratio, and what a name says besides: how many of the last stages attend, and the ways of MobileCLIP's. */
type Design = readonly [depths: readonly number[], width: number, ratio: number, attend: number, way?: 'clip' | 'clip2'];
const DESIGNS: Readonly<Record<string, Design>> = {
  fastvit_t8: [[2, 2, 4, 2], 48, 3, 0],
  fastvit_t12: [[2, 2, 6, 2], 64, 3, 0],
  fastvit_s12: [[2, 2, 6, 2], 64, 4, 0],
  fastvit_sa12: [[2, 2, 6, 2], 64, 4, 1],
  fastvit_sa24: [[4, 4, 12, 4], 64, 4, 1],
  fastvit_sa36: [[6, 6, 18, 6], 64, 4, 1],
  fastvit_ma36: [[6, 6, 18, 6], 76, 4, 1],
  fastvit_mci0: [[2, 6, 10, 2], 64, 3, 1, 'clip'],
  fastvit_mci1: [[4, 12, 20, 4], 64, 3, 1, 'clip'],
  fastvit_mci2: [[4, 12, 24, 4], 80, 3, 1, 'clip'],
  fastvit_mci3: [[2, 12, 24, 4, 2], 96, 4, 2, 'clip2'],
  fastvit_mci4: [[2, 12, 24, 4, 4], 128, 4, 2, 'clip2'],
};
export const isFastVit = (name: string): boolean => Object.hasOwn(DESIGNS, name);

export function timmFastVit(name: string, c: Config, image: Size): FastVit {
  const [depthsPreset, width, ratio, attend, way] = DESIGNS[name]!;
  const args = section(c, 'model_args');
  const total = depthsPreset.length;
  for (const [key, value] of SAME_GRAPH) only(args, key, value);
  absent(args, 'pos_embs', 'norm_layer', 'act_layer', 'downsamples');
  ignore(args, ['layer_scale_init_value']);
  const depths = perStage(args, 'layers', depthsPreset, total, MOST_LAYERS).slice(0, total);
  const of = (key: string, preset: readonly number[], most?: number): readonly number[] => perStage(args, key, preset, total, most);
  const widths = of(
    'embed_dims',
    depths.map((_, s) => width * 2 ** s),
  );
  const ratios = of('mlp_ratios', new Array<number>(total).fill(ratio), 64);
  const mixers = args.get('token_mixers') ?? depths.map((_, s) => (s < total - attend ? 'repmixer' : 'attention'));
  const weighs = args.get('se_downsamples') ?? depths.map((_, s) => way === 'clip' && s > 1);
  listOf(args, 'token_mixers', mixers, ['repmixer', 'attention'], total);
  listOf(args, 'se_downsamples', weighs, [true, false], total);
  const stages = depths.map(
    (depth, s): Stage => ({
      ...{ depth, width: widths[s]!, mlp: Math.floor(widths[s]! * ratios[s]!), attends: (mixers as string[])[s] === 'attention' },
      ...{ positions: s >= total - attend, weighs: (weighs as boolean[])[s]! },
    }),
  );
  checkWidths(args, stages);
  return {
    image: image ?? inputSize(c) ?? [256, 256],
    stages,
    activeBetween: flag(args, 'lkc_use_act', way !== undefined),
    stemScales: flag(args, 'stem_use_scale_branch', way !== 'clip2'),
    layerNorms: way === 'clip2',
    scaled: holds(c, 'stages.0.blocks.0.layer_scale.gamma', true),
    last: Math.floor(widths.at(-1)! * real(args, 'cls_ratio', 2, 0.01, 64)),
    isMerged: holds(c, 'stem.0.reparam_conv.weight', flag(args, 'inference_mode', false)),
  };
}

/** Throws InputError unless the list has one of these for each stage. */
function listOf(c: Config, key: string, list: unknown, values: readonly unknown[], stages: number): void {
  if (Array.isArray(list) && list.length >= stages && list.every((one) => values.includes(one))) return;
  const expected = `one of ${values.join(' and ')} for each of ${stages} stages`;
  throw new InputError({ where: c.where, what: `key "${key}" has a wrong value`, got: JSON.stringify(list), expected });
}

function checkWidths({ where }: Config, stages: readonly Stage[]): void {
  for (const [s, { width, attends }] of stages.entries()) {
    if (attends) needDivides(where, `channels of stage ${s} do not divide into heads`, width, HEAD_DIM);
    if (s > 0) needDivides(where, `channels of stage ${s} are no multiple of those before`, width, stages[s - 1]!.width);
  }
}

/** Settings of timm's FastVit class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, unknown])[] = [
  ['repmixer_kernel_size', 3],
  ['down_patch_size', 7],
  ['down_stride', 2],
  ['fork_feat', false],
  ['global_pool', 'avg'],
];
