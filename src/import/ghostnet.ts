/** GhostNet (arXiv 1911.11907): half of a layer's channels come from a 1×1 convolution, the others from a depthwise one over those. timm's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, only, section } from '../formats/config.ts';
import { lastDim } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { type ConvNames, conv } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, add, classifier, pool } from '../network/layer.ts';
import { squeezeExcite } from './chain.ts';
import type { Size } from './family.ts';
import { divisible } from './huggingface.ts';
import { inputSize } from './timm.ts';

interface Block {
  name: string;
  kernel: number;
  /** Channels within, and at its end. */
  inner: number;
  out: number;
  squeeze: boolean;
  stride: number;
}

export interface GhostNet {
  image: readonly [number, number];
  stem: number;
  blocks: Block[];
  /** The 1×1 convolution after the blocks. */
  last: { name: string; out: number };
}

/** Channels that the head's own layer gives. */
const FEATURES = 1280;
const EPS = 1e-5;

/** x: pixels [B,H,W,C]; returns logits. */
export function ghostNet(b: Builder, x: number, { stem, blocks: list, last }: GhostNet, classes: number): number {
  const act = (h: number, name: string): number => activation(b, h, `${name}.act`, Kind.Relu);
  const total = list.length;
  let h = act(one(b, x, 'conv_stem', 'bn1', stem, 3, 2), 'conv_stem');
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  for (const [i, spec] of list.slice(0, blocks.count).entries()) h = block(b, enterBlock(b, h, i, blocks), spec);
  leaveBlocks(b, blocks);
  if (b.method.depth !== undefined) return classifier(b, pool(b, h, 'pool'), 'classifier', classes);
  h = act(one(b, h, `${last.name}.conv`, `${last.name}.bn1`, last.out, 1), last.name);
  const pooled = pool(b, h, 'pool', 0, undefined, 1);
  const features = act(conv(b, pooled, { conv: 'conv_head', eps: 0 }, FEATURES, { kernel: 1, stride: 1, tfPadding: false }), 'conv_head');
  return classifier(b, pool(b, features, 'conv_head.flatten'), 'classifier', classes);
}

function one(b: Builder, x: number, name: string, norm: string, out: number, kernel: number, stride = 1, depthwise = false): number {
  const names: ConvNames = { conv: name, norm, eps: EPS };
  return conv(b, x, names, out, { kernel, stride, tfPadding: false }, depthwise);
}

/** Channels twice over: by a 1×1 convolution, and what a depthwise one makes of them. */
function ghost(b: Builder, x: number, name: string, out: number, isActive: boolean): number {
  const act = (h: number, part: string): number => (isActive ? activation(b, h, `${name}.${part}.act`, Kind.Relu) : h);
  const half = out / 2;
  const first = act(one(b, x, `${name}.primary_conv.0`, `${name}.primary_conv.1`, half, 1), 'primary_conv');
  const cheap = one(b, first, `${name}.cheap_operation.0`, `${name}.cheap_operation.1`, half, 3, 1, true);
  return append(b, 'Concat', `${name}.both`, [first, act(cheap, 'cheap_operation')], { axis: 3 });
}

function block(b: Builder, x: number, { name, kernel, inner, out, squeeze, stride }: Block): number {
  let h = ghost(b, x, `${name}.ghost1`, inner, true);
  if (stride > 1) h = one(b, h, `${name}.conv_dw`, `${name}.bn_dw`, inner, kernel, stride, true);
  if (squeeze) {
    const named = { reduce: `${name}.se.conv_reduce`, expand: `${name}.se.conv_expand`, width: divisible(inner / 4, 4, 4) };
    h = squeezeExcite(b, h, { ...named, activation: Kind.Relu, gate: Kind.HardSigmoid });
  }
  h = ghost(b, h, `${name}.ghost2`, out, false);
  const reads = lastDim(b.graph, x);
  if (stride === 1 && reads === out) return add(b, x, h, `${name}.add`);
  const aside = one(b, x, `${name}.shortcut.0`, `${name}.shortcut.1`, reads, kernel, stride, true);
  return add(b, one(b, aside, `${name}.shortcut.2`, `${name}.shortcut.3`, out, 1), h, `${name}.add`);
}

/** Kernel, inner channels, channels, squeeze-excite, stride of each block, by stage. */
type Row = readonly [number, number, number, 0 | 1, number];
// biome-ignore format: a line a stage
const STAGES: readonly (readonly Row[])[] = [
  [[3, 16, 16, 0, 1]],
  [[3, 48, 24, 0, 2]],
  [[3, 72, 24, 0, 1]],
  [[5, 72, 40, 1, 2]],
  [[5, 120, 40, 1, 1]],
  [[3, 240, 80, 0, 2]],
  [[3, 200, 80, 0, 1], [3, 184, 80, 0, 1], [3, 184, 80, 0, 1], [3, 480, 112, 1, 1], [3, 672, 112, 1, 1]],
  [[5, 672, 160, 1, 2]],
  [[5, 960, 160, 0, 1], [5, 960, 160, 1, 1], [5, 960, 160, 0, 1], [5, 960, 160, 1, 1]],
];
const WIDTHS: Readonly<Record<string, number>> = { ghostnet_050: 0.5, ghostnet_100: 1, ghostnet_130: 1.3 };
export const isGhostNet = (name: string): boolean => Object.hasOwn(WIDTHS, name);

export function timmGhostNet(name: string, c: Config, image: Size): GhostNet {
  const args = section(c, 'model_args');
  only(args, 'output_stride', 32);
  only(args, 'global_pool', 'avg');
  only(args, 'version', 'v1');
  absent(args, 'cfgs', 'width');
  const wide = (n: number): number => divisible(n * WIDTHS[name]!, 4, 4);
  return {
    image: image ?? inputSize(c) ?? [224, 224],
    stem: wide(16),
    blocks: STAGES.flatMap((rows, s) =>
      rows.map(([kernel, inner, out, squeeze, stride], i) => ({
        ...{ name: `blocks.${s}.${i}`, kernel, inner: wide(inner), out: wide(out), squeeze: squeeze === 1, stride },
      })),
    ),
    last: { name: `blocks.${STAGES.length}.0`, out: wide(960) },
  };
}
