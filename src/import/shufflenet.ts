/** ShuffleNetV2 (arXiv 1807.11164): half of the channels go through a block, then both halves are shuffled. torchvision's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { type Config, integers, MOST_LAYERS } from '../formats/config.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { conv, maxPool } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool } from '../network/layer.ts';
import type { Size } from './family.ts';
import { argumentsOf } from './torchvision.ts';

export interface ShuffleNet {
  image: readonly [number, number];
  stem: number;
  stages: readonly { depth: number; out: number }[];
  last: number;
}

const EPS = 1e-5;

/** x: pixels [B,H,W,C]; returns logits. */
export function shuffleNet(b: Builder, x: number, { stem, stages, last }: ShuffleNet, classes: number): number {
  const total = stages.reduce((n, { depth }) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  let h = maxPool(b, active(b, layer(b, x, 'conv1.0', 'conv1.1', stem, 3, 2), 'conv1'), 'maxpool', 3, 2);
  let index = 0;
  for (const [s, { depth, out }] of stages.entries())
    for (let i = 0; i < depth && index < blocks.count; i++)
      h = block(b, enterBlock(b, h, index++, blocks), `stage${s + 2}.${i}`, out, i === 0 ? 2 : 1);
  leaveBlocks(b, blocks);
  if (b.method.depth === undefined) h = active(b, layer(b, h, 'conv5.0', 'conv5.1', last, 1, 1), 'conv5');
  return classifier(b, pool(b, h, 'pool'), 'fc', classes);
}

const active = (b: Builder, x: number, name: string): number => activation(b, x, `${name}.act`, Kind.Relu);

/** A convolution of the channels that it reads where `out` is 0. */
function layer(b: Builder, x: number, name: string, norm: string, out: number, kernel: number, stride: number): number {
  const window = { kernel, stride, tfPadding: false };
  return conv(b, x, { conv: name, norm, eps: EPS }, out || lastDim(b.graph, x), window, out === 0);
}

function block(b: Builder, x: number, name: string, out: number, stride: number): number {
  const [batch, , , c] = shapeOf(b.graph, x) as [number, number, number, number];
  const half = out / 2;
  const part = (from: number): number => append(b, 'Slice', `${name}.part${from ? 2 : 1}`, [x], { axis: 3, from, count: c / 2 });
  const [first, second] = stride === 1 ? [part(0), part(c / 2)] : [besides(b, x, name, half), x];
  const two = `${name}.branch2`;
  let h = active(b, layer(b, second, `${two}.0`, `${two}.1`, half, 1, 1), `${two}.0`);
  h = layer(b, h, `${two}.3`, `${two}.4`, 0, 3, stride);
  h = active(b, layer(b, h, `${two}.5`, `${two}.6`, half, 1, 1), `${two}.5`);
  const both = append(b, 'Concat', `${name}.both`, [first, h], { axis: 3 });
  const [, height, width] = shapeOf(b.graph, both) as [number, number, number];
  const lists = { dims: [batch, height, width, 2, half], perm: [0, 1, 2, 4, 3], shape: [batch, height, width, out] };
  return append(b, 'Rearrange', `${name}.shuffle`, [both], lists);
}

/** Where a block halves the map, its other half has layers too. */
function besides(b: Builder, x: number, name: string, half: number): number {
  const at = `${name}.branch1`;
  return active(b, layer(b, layer(b, x, `${at}.0`, `${at}.1`, 0, 3, 2), `${at}.2`, `${at}.3`, half, 1, 1), `${at}.2`);
}

/** Channels of the stem, of each stage, and of the last convolution. */
const WIDTHS: Readonly<Record<string, readonly number[]>> = {
  shufflenet_v2_x0_5: [24, 48, 96, 192, 1024],
  shufflenet_v2_x1_0: [24, 116, 232, 464, 1024],
  shufflenet_v2_x1_5: [24, 176, 352, 704, 1024],
  shufflenet_v2_x2_0: [24, 244, 488, 976, 2048],
};

export function tvShuffleNet(name: string, c: Config, image: Size): ShuffleNet {
  const args = argumentsOf(c);
  const depths = integers(args, 'stages_repeats', [4, 8, 4], MOST_LAYERS);
  const widths = integers(args, 'stages_out_channels', WIDTHS[name]!);
  if (depths.length !== 3 || widths.length !== 5 || widths.slice(1, 4).some((n) => n % 2 !== 0))
    throw new InputError({
      where: args.where,
      what: 'stages_repeats and stages_out_channels do not fit each other',
      got: `[${depths}] and [${widths}]`,
      expected: 'three stages of an even number of channels, between a stem and a last convolution',
    });
  return {
    image: image ?? [224, 224],
    stem: widths[0]!,
    stages: depths.map((depth, s) => ({ depth, out: widths[s + 1]! })),
    last: widths[4]!,
  };
}
