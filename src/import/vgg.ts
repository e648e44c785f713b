/** VGG (arXiv 1409.1556), with or without batch norm: stages of 3×3 convolutions and a pooling, then two wide layers. timm's and torchvision's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, only, section } from '../formats/config.ts';
import { shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { type ConvNames, conv, maxPool } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool } from '../network/layer.ts';
import type { Size } from './family.ts';
import { inputSize } from './timm.ts';

interface Layer {
  names: ConvNames;
  out: number;
}

export interface Vgg {
  image: readonly [number, number];
  stages: Layer[][];
  /** The two wide layers, of which the first reads 7×7 positions. */
  wide: [Layer, Layer];
  /** Larger maps are pooled to 7×7 (torchvision), or the wide layers go over them (timm). */
  alwaysPools: boolean;
  head: string;
}

/** Convolutions by size: `M` pools. */
const SIZES: Readonly<Record<string, string>> = {
  11: '64 M 128 M 256 256 M 512 512 M 512 512 M',
  13: '64 64 M 128 128 M 256 256 M 512 512 M 512 512 M',
  16: '64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M',
  19: '64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M',
};
const VGG = /^vgg(11|13|16|19)(_bn)?$/;
export const isVgg = (name: string): boolean => VGG.test(name);

/** The first stage is no block; each later one is. */
export function vgg(b: Builder, x: number, { stages, wide, alwaysPools, head }: Vgg, classes: number): number {
  const layer = (h: number, { names, out }: Layer, kernel: number, padding?: 'none'): number =>
    activation(
      b,
      conv(b, h, names, out, { kernel, stride: 1, tfPadding: false, ...(padding ? { padding } : {}) }),
      `${names.conv}.act`,
      Kind.Relu,
    );
  const stage = (h: number, s: number): number =>
    maxPool(
      b,
      stages[s]!.reduce((y, one) => layer(y, one, 3), h),
      `pool.${s}`,
      2,
      2,
    );
  const total = stages.length - 1;
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  let h = stage(x, 0);
  for (let i = 0; i < blocks.count; i++) h = stage(enterBlock(b, h, i, blocks), i + 1);
  leaveBlocks(b, blocks);
  if (b.method.depth !== undefined) return classifier(b, pool(b, h, 'pool'), head, classes);
  const [height, width] = shapeOf(b.graph, h).slice(1, 3) as [number, number];
  const [oh, ow] = alwaysPools ? [7, 7] : [Math.max(7, height), Math.max(7, width)];
  if (oh !== height || ow !== width) h = append(b, 'AdaptivePool', 'square', [h], { oh, ow });
  return classifier(b, pool(b, layer(layer(h, wide[0], 7, 'none'), wide[1], 1), 'pool'), head, classes);
}

/** Widths are the file's, where there is one: a pruned network keeps its name. */
function vggOf(
  name: string,
  c: Config,
  image: Size,
  { fc, head, flat, alwaysPools }: { fc: string[]; head: string; flat: boolean; alwaysPools: boolean },
): Vgg {
  const [, size, normed] = VGG.exec(name) as unknown as [string, string, string?];
  const layer = (conv: string, out: number, norm?: string): Layer => ({
    names: { conv, ...(norm === undefined ? {} : { norm, biased: true }), eps: 1e-5, flat: flat && fc.includes(conv) },
    out: c.tensors?.get(`${conv}.weight`)?.[0] ?? out,
  });
  let at = 0;
  const stages = SIZES[size]!.split(' M')
    .slice(0, -1)
    .map((stage) => {
      const layers = stage
        .trim()
        .split(' ')
        .map((width) => {
          const made = layer(`features.${at}`, Number(width), normed && `features.${at + 1}`);
          at += normed ? 3 : 2;
          return made;
        });
      at++;
      return layers;
    });
  return { image: image ?? inputSize(c) ?? [224, 224], stages, wide: [layer(fc[0]!, 4096), layer(fc[1]!, 4096)], alwaysPools, head };
}

export function timmVgg(name: string, c: Config, image: Size): Vgg {
  const args = section(c, 'model_args');
  for (const [key, value] of [
    ['output_stride', 32],
    ['global_pool', 'avg'],
    ['act_layer', 'relu'],
  ] as const)
    only(args, key, value);
  absent(args, 'conv_layer', 'norm_layer');
  const ratio = args.get('mlp_ratio') ?? 1;
  const read = vggOf(name, c, image, { fc: ['pre_logits.fc1', 'pre_logits.fc2'], head: 'head.fc', flat: false, alwaysPools: false });
  if (c.tensors === undefined && typeof ratio === 'number') read.wide[0].out = Math.trunc(4096 * ratio);
  return read;
}

export const tvVgg = (name: string, c: Config, image: Size): Vgg =>
  vggOf(name, c, image, { fc: ['classifier.0', 'classifier.3'], head: 'classifier.6', flat: true, alwaysPools: true });
