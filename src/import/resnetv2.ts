/** ResNet v2 (arXiv 1603.05027), whose norms stand before its convolutions, and BiT (1912.11370), whose filters are standardised. timm's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, integer, integers, MOST_LAYERS, only, section } from '../formats/config.ts';
import { ABSENT } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, weight } from '../network/builder.ts';
import { type ConvNames, conv, halved, maxPool } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, batchNorm, classifier, groupNorm, pool, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { divisible } from './huggingface.ts';
import { needDivides } from './stages.ts';
import { inputSize } from './timm.ts';

interface Block {
  name: string;
  inner: number;
  out: number;
  stride: number;
  /** Its shortcut is a convolution. */
  changes: boolean;
}

export interface ResNetV2 {
  image: readonly [number, number];
  /** Filters are standardised and norms are of groups of channels; a border of zeros stands around what the stem's maxima are of. */
  bit: boolean;
  bottleneck: boolean;
  /** Channels of the stem's convolutions: one of 7×7, or three of 3×3. */
  stem: readonly number[];
  /** Shortcuts pool where others stride. */
  poolsDown: boolean;
  blocks: Block[];
}

const [EPS, GROUPS, FILTER_EPS] = [1e-5, 32, 1e-8];
const HEAD = 'head.fc';

/** x: pixels [B,H,W,C]; returns logits. */
export function resNetV2(b: Builder, x: number, spec: ResNetV2, classes: number): number {
  const blocks = { count: depthOf(b.method, spec.blocks.length), extraTokens: 0 };
  let h = stem(b, x, spec);
  for (const [i, block] of spec.blocks.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    const seen = normed(b, entry, `${block.name}.norm1`, spec);
    const aside = block.changes ? shortcut(b, seen, block, spec) : entry;
    h = residual(b, aside, branch(b, seen, block, spec), `${block.name}.add`);
  }
  leaveBlocks(b, blocks);
  // The last norm has the last stage's width: a network that ends early has none.
  const features = blocks.count === spec.blocks.length ? normed(b, h, 'norm', spec) : h;
  return classifier(b, pool(b, features, 'pool'), HEAD, classes, 4);
}

const act = (b: Builder, x: number, name: string): number => activation(b, x, `${name}.act`, Kind.Relu);

/** A norm that no convolution stands before, and its ReLU. */
const normed = (b: Builder, x: number, name: string, { bit }: ResNetV2): number =>
  act(b, bit ? groupNorm(b, x, name, GROUPS, EPS) : batchNorm(b, x, name, EPS), name);

/** A convolution and the norm behind it, where there is one. */
const namesOf = ({ bit }: ResNetV2, name: string, norm?: string): ConvNames => ({
  conv: name,
  eps: EPS,
  ...(bit ? { standard: FILTER_EPS } : {}),
  ...(norm === undefined ? { bare: true } : { norm, ...(bit ? { groups: GROUPS } : {}) }),
});

function stem(b: Builder, x: number, spec: ResNetV2): number {
  const one = (h: number, i: number, name: string, norm?: string): number =>
    conv(b, h, namesOf(spec, `stem.${name}`, norm && `stem.${norm}`), spec.stem[i]!, {
      ...{ kernel: spec.stem.length > 1 ? 3 : 7, stride: i === 0 ? 2 : 1, tfPadding: false },
    });
  if (spec.stem.length === 1) {
    const h = one(x, 0, 'conv');
    return spec.bit ? maxPool(b, bordered(b, h), 'maxpool', 3, 2, 'none') : maxPool(b, h, 'maxpool', 3, 2);
  }
  const first = act(b, one(x, 0, 'conv1', 'norm1'), 'stem.norm1');
  const second = act(b, one(first, 1, 'conv2', 'norm2'), 'stem.norm2');
  return maxPool(b, one(second, 2, 'conv3'), 'maxpool', 3, 2);
}

/** Zeros around a map, which are among those that a maximum is taken of. */
function bordered(b: Builder, x: number): number {
  const around = (h: number, axis: -3 | -2, as: string): number => {
    const edge = append(b, 'Slice', `stem.pad.${as}`, [h], { axis, from: 0, count: 1 });
    const c = b.graph.values[h]!.type.shape.at(-1)!;
    const nothing = weight(b, { name: 'stem.pad.zeros', shape: [c], kind: 'scale', role: 'frozen' });
    const zeros = append(b, 'Affine', `stem.pad.${as}.zero`, [edge, nothing, ABSENT]);
    return append(b, 'Concat', `stem.pad.${as}.all`, [zeros, h, zeros], { axis });
  };
  return around(around(x, -3, 'rows'), -2, 'columns');
}

function shortcut(b: Builder, x: number, { name, out, stride }: Block, spec: ResNetV2): number {
  const pools = spec.poolsDown && stride > 1;
  const seen = pools ? halved(b, x, `${name}.pool`) : x;
  return conv(b, seen, namesOf(spec, `${name}.downsample.conv`), out, { kernel: 1, stride: pools ? 1 : stride, tfPadding: false });
}

function branch(b: Builder, x: number, { name, inner, out, stride }: Block, spec: ResNetV2): number {
  const one = (h: number, j: number, channels: number, kernel: number, step: number, last = false): number => {
    const norm = last ? undefined : `${name}.norm${j + 1}`;
    const y = conv(b, h, namesOf(spec, `${name}.conv${j}`, norm), channels, { kernel, stride: step, tfPadding: false });
    return norm ? act(b, y, norm) : y;
  };
  if (!spec.bottleneck) return one(one(x, 1, inner, 3, stride), 2, out, 3, 1, true);
  return one(one(one(x, 1, inner, 1, 1), 2, inner, 3, stride), 3, out, 1, 1, true);
}

const DEPTHS: Readonly<Record<string, readonly number[]>> = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};
/** `d` has a stem of three convolutions and pools in its shortcuts, `t` the same of other widths; `x3_bit` is three times as wide. */
const NAME = /^resnetv2_(?<size>18|34|50|101|152)(?:(?<deep>[dt])|x(?<wide>[1-4])_bit)?$/;
export const isTimmResNetV2 = (name: string): boolean => NAME.test(name) && !/^resnetv2_(18|34)(t|x)/.test(name);

export function timmResNetV2(name: string, c: Config, image: Size): ResNetV2 {
  const { size, deep, wide } = NAME.exec(name)!.groups as { size: string; deep?: string; wide?: string };
  const args = section(c, 'model_args');
  for (const [key, value] of SAME_GRAPH) only(args, key, value);
  absent(args, 'act_layer', 'norm_layer', 'conv_layer');
  only(args, 'stem_type', wide ? 'fixed' : deep === 't' ? 'tiered' : deep ? 'deep' : '');
  only(args, 'avg_down', deep !== undefined);
  const bottleneck = Number(size) >= 50;
  const factor = integer(args, 'width_factor', Number(wide ?? 1), 64);
  const channels = integers(args, 'channels', bottleneck ? [256, 512, 1024, 2048] : [64, 128, 256, 512]).map((n) =>
    divisible(n * factor, 8, 8),
  );
  const depths = integers(args, 'layers', DEPTHS[size]!, MOST_LAYERS);
  const stemWidth = divisible(integer(args, 'stem_chs', 64) * factor, 8, 8);
  if (depths.length !== channels.length)
    throw new InputError({ where: args.where, what: 'stages and widths differ in number', got: `${depths.length} and ${channels.length}` });
  const innerOf = (out: number): number => (bottleneck ? divisible(out * 0.25, 8, 8) : out);
  // Norms in groups are of what the stem gives too.
  if (wide)
    for (const n of [stemWidth, ...channels, ...channels.map(innerOf)])
      needDivides(args.where, 'channels do not divide into groups of one size', n, GROUPS);
  let before = stemWidth;
  return {
    image: image ?? inputSize(c) ?? [224, 224],
    bit: wide !== undefined,
    bottleneck,
    stem: deep === undefined ? [stemWidth] : [deep === 't' ? Math.floor((3 * stemWidth) / 8) : stemWidth / 2, stemWidth / 2, stemWidth],
    poolsDown: deep !== undefined,
    blocks: channels.flatMap((out, s) =>
      Array.from({ length: depths[s]! }, (_, i): Block => {
        const stride = i === 0 && s > 0 ? 2 : 1;
        // A bottleneck's first block has a convolution in its shortcut in any case.
        const changes = i === 0 && (bottleneck || stride > 1 || before !== out);
        before = out;
        return { name: `stages.${s}.blocks.${i}`, inner: innerOf(out), out, stride, changes };
      }),
    ),
  };
}

/** Settings of timm's ResNetV2 class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, unknown])[] = [
  ['output_stride', 32],
  ['preact', true],
  ['global_pool', 'avg'],
];
