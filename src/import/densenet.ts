/** DenseNet (arXiv 1608.06993): every layer adds channels to those of all before it. timm's and torchvision's names, which are the same. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, integer, integers, MOST_LAYERS, only, section } from '../formats/config.ts';
import { lastDim } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { type ConvNames, conv, maxPool, meanPool } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, batchNorm, classifier, pool } from '../network/layer.ts';
import type { Size } from './family.ts';
import { inputSize } from './timm.ts';
import { argumentsOf } from './torchvision.ts';

export interface DenseNet {
  image: readonly [number, number];
  /** Channels that the stem leaves, and those that a layer adds; a layer's 1×1 gives `wide` times as many. */
  stem: number;
  growth: number;
  wide: number;
  depths: readonly number[];
}

const EPS = 1e-5;

/** x: pixels [B,H,W,C]; returns logits. A layer is a block; what halves a map between stages is none. */
export function denseNet(b: Builder, x: number, spec: DenseNet, classes: number): number {
  const act = (h: number, name: string): number => activation(b, h, `${name}.act`, Kind.Relu);
  const one = (h: number, names: Omit<ConvNames, 'eps'>, out: number, kernel: number, stride = 1): number =>
    conv(b, h, { ...names, eps: EPS }, out, { kernel, stride, tfPadding: false });
  const normed = (h: number, name: string): number => act(batchNorm(b, h, name, EPS), name);
  const f = 'features';
  let h = act(one(x, { conv: `${f}.conv0`, norm: `${f}.norm0` }, spec.stem, 7, 2), `${f}.norm0`);
  h = maxPool(b, h, `${f}.pool0`, 3, 2);
  const total = spec.depths.reduce((n, d) => n + d);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  let index = 0;
  for (const [s, depth] of spec.depths.entries()) {
    if (index === blocks.count) break;
    if (s > 0) {
      const between = `${f}.transition${s}`;
      h = one(normed(h, `${between}.norm`), { conv: `${between}.conv`, bare: true }, Math.floor(lastDim(b.graph, h) / 2), 1);
      h = meanPool(b, h, `${between}.pool`, 2);
    }
    for (let i = 0; i < depth && index < blocks.count; i++) {
      const name = `${f}.denseblock${s + 1}.denselayer${i + 1}`;
      const entry = enterBlock(b, h, index++, blocks);
      const narrow = one(normed(entry, `${name}.norm1`), { conv: `${name}.conv1`, norm: `${name}.norm2` }, spec.wide * spec.growth, 1);
      const added = one(act(narrow, `${name}.norm2`), { conv: `${name}.conv2`, bare: true }, spec.growth, 3);
      h = append(b, 'Concat', `${name}.all`, [entry, added], { axis: 3 });
    }
  }
  leaveBlocks(b, blocks);
  // The last norm has the last stage's width: a network that ends early has none.
  const features = index === total ? normed(h, `${f}.norm5`) : h;
  return classifier(b, pool(b, features, 'pool'), 'classifier', classes);
}

/** Channels that a layer adds, and depths. */
const DESIGNS: Readonly<Record<string, readonly [number, readonly number[]]>> = {
  densenet121: [32, [6, 12, 24, 16]],
  densenet161: [48, [6, 12, 36, 24]],
  densenet169: [32, [6, 12, 32, 32]],
  densenet201: [32, [6, 12, 48, 32]],
};
export const isDenseNet = (name: string): boolean => Object.hasOwn(DESIGNS, name);

export function timmDenseNet(name: string, c: Config, image: Size): DenseNet {
  const args = section(c, 'model_args');
  for (const [key, ...values] of SAME_GRAPH) only(args, key, ...values);
  absent(args, 'aa_layer');
  const [growth, depths] = DESIGNS[name]!;
  const own = integer(args, 'growth_rate', growth);
  return {
    image: image ?? inputSize(c) ?? [224, 224],
    stem: 2 * own,
    growth: own,
    wide: integer(args, 'bn_size', 4, 64),
    depths: integers(args, 'block_config', depths, MOST_LAYERS),
  };
}

export function tvDenseNet(name: string, c: Config, image: Size): DenseNet {
  const args = argumentsOf(c);
  const [growth, depths] = DESIGNS[name]!;
  return {
    image: image ?? [224, 224],
    growth: integer(args, 'growth_rate', growth),
    stem: integer(args, 'num_init_features', 2 * growth),
    wide: integer(args, 'bn_size', 4, 64),
    depths: integers(args, 'block_config', depths, MOST_LAYERS),
  };
}

/** Settings of timm's DenseNet that make another graph, and the values that do not. */
const SAME_GRAPH: readonly (readonly [string, ...unknown[]])[] = [
  ['stem_type', ''],
  ['act_layer', 'relu'],
  ['norm_layer', 'batchnorm2d'],
  ['global_pool', 'avg'],
  ['proj_drop_rate', 0],
  ['aa_stem_only', true, false],
  // The same numbers, some computed twice.
  ['memory_efficient', false, true],
];
