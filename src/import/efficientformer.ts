/** EfficientFormer (arXiv 2206.01191), timm's: blocks that mix by the mean of their neighbours, and at the end blocks that attend with a bias by distance. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, integer, integers, MOST_LAYERS, only, pair, real, section } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, weight, whole } from '../network/builder.ts';
import { conv, layerScale, span } from '../network/conv.ts';
import { crossAttention } from '../network/crossattention.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, add, classifier, layerNorm, linear, pool, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { perStage } from './stages.ts';
import { inputSize } from './timm.ts';
import { biasesByDistance } from './tinyvit.ts';

export interface EfficientFormer {
  image: readonly [number, number];
  depths: readonly number[];
  widths: readonly number[];
  /** How many of the last stage's blocks attend, at its end. */
  attend: number;
  mlpRatio: number;
}

const EPS = 1e-5;
const [HEADS, KEY, VALUE] = [8, 32, 128];
/** Attention is of a map of so many rows and columns. */
const SIDE = 7;
const DOWN = { kernel: 3, stride: 2, tfPadding: false };

/** x: pixels [B,H,W,C]; returns logits. */
export function efficientFormer(b: Builder, x: number, { depths, widths, attend, mlpRatio }: EfficientFormer, classes: number): number {
  const total = depths.reduce((n, depth) => n + depth, 0);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  const down = (h: number, at: string, norm: string, width: number): number =>
    conv(b, h, { conv: at, norm, biased: true, eps: EPS }, width, DOWN);
  const stem = (h: number, i: number, width: number): number =>
    activation(b, down(h, `stem.conv${i}`, `stem.norm${i}`, width), `stem.act${i}`, Kind.Relu);
  let h = stem(stem(x, 1, Math.floor(widths[0]! / 2)), 2, widths[0]!);
  let index = 0;
  for (const [s, depth] of depths.entries()) {
    if (index === blocks.count) break;
    if (s > 0) h = down(h, `stages.${s}.downsample.conv`, `stages.${s}.downsample.norm`, widths[s]!);
    const first = s === depths.length - 1 ? Math.max(0, depth - attend) : depth;
    for (let i = 0; i < depth && index < blocks.count; i++) {
      const entry = enterBlock(b, h, index++, blocks);
      // What makes rows of a map stands among the blocks.
      h = i < first ? mixing(b, entry, `stages.${s}.blocks.${i}`, mlpRatio) : attending(b, entry, `stages.${s}.blocks.${i + 1}`, mlpRatio);
    }
  }
  leaveBlocks(b, blocks);
  // A network that ends before its last stage has no norm of that width.
  const normed = lastDim(b.graph, h) === widths.at(-1) ? layerNorm(b, h, 'norm', EPS) : h;
  const features = pool(b, normed, 'pool');
  const head = classifier(b, features, 'head', classes);
  return b.head === 'new' ? head : add(b, head, classifier(b, features, 'head_dist', classes), 'logits', 0.5);
}

/** x + γ·(mean of the neighbours - x), then an MLP of 1×1 convolutions. */
function mixing(b: Builder, x: number, name: string, mlpRatio: number): number {
  const [, h, w, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const at = `${name}.token_mixer`;
  const window = { r: 3, s: 3, stepY: 1, stepX: 1, top: 1, left: 1, bottom: 1, right: 1, padded: 0, oh: h, ow: w };
  const mean = append(b, 'AveragePool', at, [x], window);
  const change = add(b, mean, add(b, x, x, `${at}.taken`, -0.5), `${at}.change`);
  const tensor = `${name}.ls1.gamma`;
  const gamma = weight(b, { name: tensor, shape: [c], kind: 'scale', source: whole(tensor, [c]) });
  const mixed = residual(b, x, append(b, 'Affine', `${name}.ls1`, [change, gamma, -1]), `${name}.add1`);
  const one = (y: number, i: 1 | 2, out: number): number =>
    conv(b, y, { conv: `${name}.mlp.fc${i}`, norm: `${name}.mlp.norm${i}`, biased: true, eps: EPS }, out, {
      kernel: 1,
      stride: 1,
      tfPadding: false,
    });
  const wide = activation(b, one(mixed, 1, Math.floor(c * mlpRatio)), `${name}.mlp.act`, Kind.Gelu);
  const narrow = one(wide, 2, c);
  layerScale(b, `${name}.mlp.fc2`, `${name}.ls2.gamma`);
  return residual(b, mixed, narrow, `${name}.add2`);
}

function attending(b: Builder, x: number, name: string, mlpRatio: number): number {
  const c = lastDim(b.graph, x);
  const mixed = linear(b, attended(b, layerNorm(b, x, `${name}.norm1`, EPS), `${name}.token_mixer`), `${name}.token_mixer.proj`, c);
  layerScale(b, `${name}.token_mixer.proj`, `${name}.ls1.gamma`);
  const middle = residual(b, x, mixed, `${name}.add1`);
  const wide = linear(b, layerNorm(b, middle, `${name}.norm2`, EPS), `${name}.mlp.fc1`, Math.floor(c * mlpRatio));
  const narrow = linear(b, activation(b, wide, `${name}.mlp.act`, Kind.Gelu), `${name}.mlp.fc2`, c);
  layerScale(b, `${name}.mlp.fc2`, `${name}.ls2.gamma`);
  return residual(b, middle, narrow, `${name}.add2`);
}

/** The layer of queries, keys and values has each head's beside each other. */
function attended(b: Builder, x: number, at: string): number {
  const [batch, h, w] = shapeOf(b.graph, x) as [number, number, number];
  const each = 2 * KEY + VALUE;
  const fused = append(b, 'Reshape', `${at}.heads`, [linear(b, x, `${at}.qkv`, HEADS * each)], { shape: [batch, h * w, HEADS, each] });
  const part = (from: number, count: number, as: string): number => {
    const own = append(b, 'Slice', `${at}.${as}`, [fused], { axis: -1, from, count });
    return append(b, 'Reshape', `${at}.${as}.joined`, [own], { shape: [batch, h * w, HEADS * count] });
  };
  const qkv = [part(0, KEY, 'query'), part(KEY, KEY, 'key'), part(2 * KEY, VALUE, 'value')];
  const biases = biasesByDistance(b, `${at}.attention_biases`, HEADS, SIDE);
  const mixed = crossAttention(b, [...qkv, ...biases], `${at}.attention`, HEADS);
  return append(b, 'Reshape', `${at}.map`, [mixed], { shape: [batch, h, w, HEADS * VALUE] });
}

/** As a family has it. */
export function checkEfficientFormer(where: string, { image, depths }: EfficientFormer): void {
  const side = (size: number): number => [0, ...depths].reduce((n) => span(n, DOWN).out, size);
  const map = image.map(side);
  if (map.some((n) => n !== SIDE))
    throw new InputError({
      where,
      what: 'the picture is of another size than attention was built for',
      got: `${image.join('x')}, which makes a map of ${map.join('x')}`,
      expected: `a map of ${SIDE}x${SIDE}`,
    });
}

/** Depths, widths, how many blocks attend. */
const DESIGNS: Readonly<Record<string, readonly [depths: readonly number[], widths: readonly number[], attend: number]>> = {
  efficientformer_l1: [[3, 2, 6, 4], [48, 96, 224, 448], 1],
  efficientformer_l3: [[4, 4, 12, 6], [64, 128, 320, 512], 4],
  efficientformer_l7: [[6, 6, 18, 8], [96, 192, 384, 768], 8],
};
export const isEfficientFormer = (name: string): boolean => Object.hasOwn(DESIGNS, name);

export function timmEfficientFormer(name: string, c: Config, image: Size): EfficientFormer {
  const [depthsPreset, widthsPreset, attend] = DESIGNS[name]!;
  const args = section(c, 'model_args');
  absent(args, 'downsamples', 'act_layer', 'norm_layer', 'norm_layer_cl');
  only(args, 'global_pool', 'avg');
  only(args, 'pool_size', 3);
  // How weights are drawn.
  ignore(args, ['layer_scale_init_value']);
  const own = pair(args, 'img_size', inputSize(c) ?? 224);
  const depths = integers(args, 'depths', depthsPreset, MOST_LAYERS);
  if (depths.length > 8 || depths.reduce((n, depth) => n + depth, 0) > MOST_LAYERS)
    throw new InputError({
      where: args.where,
      what: 'too many stages or blocks',
      got: `[${depths}]`,
      expected: `at most 8 and ${MOST_LAYERS}`,
    });
  return {
    image: image ?? own,
    depths,
    widths: perStage(args, 'embed_dims', widthsPreset, depths.length).slice(0, depths.length),
    attend: integer(args, 'num_vit', attend, MOST_LAYERS),
    mlpRatio: real(args, 'mlp_ratios', 4, 0.01, 64),
  };
}
