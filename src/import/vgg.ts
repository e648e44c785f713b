/** VGG (arXiv 1409.1556), with or without batch norm: stages of 3×3 convolutions and a pooling, then two wide layers. timm's and torchvision's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, only, real, section } from '../formats/config.ts';
import { shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { type ConvNames, conv, maxPool, type Window } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool } from '../network/layer.ts';
import type { Size } from './family.ts';
import { inputSize } from './timm.ts';

export interface Vgg {
  image: readonly [number, number];
  stages: Layer[][];
  /** The two wide layers, of which the first reads 7×7 positions. */
  wide: Layer[];
  /** Larger maps are pooled to 7×7 (torchvision), or the wide layers go over them (timm). */
  alwaysPools: boolean;
  head: string;
}
type Layer = { names: ConvNames; out: number };

/** Convolutions of each stage: their channels, and how many. */
const CHANNELS = [64, 128, 256, 512, 512];
const DEPTHS: Readonly<Record<string, number[]>> = { 11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4] };
const VGG = /^vgg(11|13|16|19)(_bn)?$/;
export const isVgg = (name: string): boolean => VGG.test(name);

/** x: pixels [B,H,W,C]; returns logits. The first stage is no block; each later one is. */
export function vgg(b: Builder, x: number, { stages, wide, alwaysPools, head }: Vgg, classes: number): number {
  const layer = (h: number, { names, out }: Layer, kernel: number, how: Partial<Window> = {}): number =>
    activation(b, conv(b, h, names, out, { kernel, stride: 1, tfPadding: false, ...how }), `${names.conv}.act`, Kind.Relu);
  const convolved = (h: number, s: number): number => stages[s]!.reduce((y, one) => layer(y, one, 3), h);
  const stage = (h: number, s: number): number => maxPool(b, convolved(h, s), `pool.${s}`, 2, 2);
  const total = stages.length - 1;
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  let h = stage(x, 0);
  for (let i = 0; i < blocks.count; i++) h = stage(enterBlock(b, h, i, blocks), i + 1);
  leaveBlocks(b, blocks);
  if (b.method.depth !== undefined) return classifier(b, pool(b, h, 'pool'), head, classes);
  const [height, width] = shapeOf(b.graph, h).slice(1, 3) as [number, number];
  const [oh, ow] = alwaysPools ? [7, 7] : [Math.max(7, height), Math.max(7, width)];
  if (oh !== height || ow !== width) h = append(b, 'AdaptivePool', 'square', [h], { oh, ow });
  const features = layer(layer(h, wide[0]!, 7, { padding: 'none' }), wide[1]!, 1);
  return classifier(b, pool(b, features, 'pool'), head, classes);
}

/** A pruned network keeps its name, so widths are the file's where there is one. `flat`: the wide layers are linear ones. */
function vggOf(name: string, c: Config, image: Size, fc: readonly string[], flat: boolean): Pick<Vgg, 'image' | 'stages' | 'wide'> {
  const [, size, normed] = VGG.exec(name) as unknown as [string, string, string?];
  const widthOf = (conv: string, out: number): number => c.tensors?.get(`${conv}.weight`)?.[0] ?? out;
  let at = 0;
  const stages = DEPTHS[size]!.map((depth, s) => {
    const layers = Array.from({ length: depth }, (): Layer => {
      const [conv, norm] = [`features.${at}`, `features.${at + 1}`];
      at += normed ? 3 : 2;
      return { names: { conv, ...(normed ? { norm, biased: true } : {}), eps: 1e-5 }, out: widthOf(conv, CHANNELS[s]!) };
    });
    at++;
    return layers;
  });
  const wide = fc.map((conv) => ({ names: { conv, eps: 0, flat }, out: widthOf(conv, 4096) }));
  return { image: image ?? inputSize(c) ?? [224, 224], stages, wide };
}

export function timmVgg(name: string, c: Config, image: Size): Vgg {
  const args = section(c, 'model_args');
  for (const [key, value] of Object.entries({ output_stride: 32, global_pool: 'avg', act_layer: 'relu' })) only(args, key, value);
  absent(args, 'conv_layer', 'norm_layer');
  const read = vggOf(name, c, image, ['pre_logits.fc1', 'pre_logits.fc2'], false);
  const ratio = real(args, 'mlp_ratio', 1, 1e-4, 64);
  if (c.tensors === undefined) read.wide[0]!.out = Math.trunc(4096 * ratio);
  return { ...read, alwaysPools: false, head: 'head.fc' };
}

export const tvVgg = (name: string, c: Config, image: Size): Vgg => ({
  ...vggOf(name, c, image, ['classifier.0', 'classifier.3'], true),
  alwaysPools: true,
  head: 'classifier.6',
});
