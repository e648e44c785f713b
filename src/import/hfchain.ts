/** transformers' chains of blocks: MobileNetV1 and V2, EfficientNet. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { type Config, flag, integer, integers, MOST_LAYERS, only, pair, real, text } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import type { Chain, ConvBlock, ConvLayer } from './chain.ts';
import { activationOf, divisible, roundHalfEven } from './huggingface.ts';
import { backbonePrefix } from './published.ts';

type Size = readonly [number, number] | undefined;

/** How a family names a convolution and its norm. */
type Named = (name: string, out: number, kernel: number, stride: number, activation?: Kind, kind?: ConvLayer['kind']) => ConvLayer;

/** `batch_norm: "folded"` (ours) says that convolutions carry a bias and there are no normalisation tensors. */
function mobileLayers(c: Config): Named {
  const eps = real(c, 'layer_norm_eps', 0.001);
  const folded = text(c, 'batch_norm', 'separate') === 'folded';
  const p = backbonePrefix(c);
  return (name, out, kernel, stride, activation, kind = 'dense') => ({
    names: { conv: `${p}${name}.convolution`, ...(folded ? {} : { norm: `${p}${name}.normalization` }), eps },
    kind,
    out,
    kernel,
    stride,
    ...(activation === undefined ? {} : { activation }),
  });
}

/** `model_type` mobilenet_v1. */
export function hfMobileNetV1(c: Config, imageSize: Size): Chain {
  const layer = mobileLayers(c);
  const p = backbonePrefix(c);
  const [multiplier, least] = [real(c, 'depth_multiplier', 1, 0.01, 16), integer(c, 'min_depth', 8)];
  const channels = (n: number): number => Math.max(Math.trunc(n * multiplier), least);
  const act = activationOf(c, 'relu6');
  const ownImage = pair(c, 'image_size', 224);
  const stem = [layer('conv_stem', channels(32), 3, 2, act)];
  let depth = 32;
  const blocks = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1].map((stride, i): ConvBlock => {
    if (stride === 2 || i === 0) depth *= 2;
    const layers = [layer(`layer.${2 * i}`, 0, 3, stride, act, 'depthwise'), layer(`layer.${2 * i + 1}`, channels(depth), 1, 1, act)];
    return { name: `${p}layer.${2 * i}`, layers, residual: false };
  });
  return { image: imageSize ?? ownImage, tfPadding: flag(c, 'tf_padding', true), stem, blocks, last: [], head: 'classifier' };
}

/** Channels before each block of MobileNetV2 and after the last; strides. */
const CHANNELS = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

/** `model_type` mobilenet_v2. */
export function hfMobileNet(c: Config, imageSize: Size): Chain {
  const outputStride = integer(c, 'output_stride', 32);
  if (outputStride !== 32)
    throw new InputError({ where: c.where, what: 'unsupported output_stride (dilated convolutions)', got: outputStride, expected: 32 });
  const multiplier = real(c, 'depth_multiplier', 1, 0.01, 16);
  const divisor = integer(c, 'depth_divisible_by', 8);
  const least = integer(c, 'min_depth', 8);
  const channels = (n: number): number => divisible(roundHalfEven(n * multiplier), divisor, least);
  const expanded = (n: number): number => divisible(roundHalfEven(n * real(c, 'expand_ratio', 6, 0.01, 64)), divisor, least);
  const layer = mobileLayers(c);
  const p = backbonePrefix(c);
  const act = activationOf(c, 'relu6');
  const ownImage = pair(c, 'image_size', 224);
  // Of its segmentation.
  ignore(c, ['semantic_loss_ignore_index']);

  const width = CHANNELS.map(channels);
  const stem: ConvLayer[] = [layer('conv_stem.first_conv', channels(32), 3, 2, act)];
  if (!flag(c, 'first_layer_is_expansion', true)) stem.push(layer('conv_stem.expand_1x1', channels(32), 1, 1, act));
  stem.push(layer('conv_stem.conv_3x3', 0, 3, 1, act, 'depthwise'), layer('conv_stem.reduce_1x1', width[0]!, 1, 1));
  const blocks = STRIDES.map((stride, i): ConvBlock => {
    const l = `layer.${i}`;
    const layers = [
      layer(`${l}.expand_1x1`, expanded(width[i]!), 1, 1, act),
      layer(`${l}.conv_3x3`, 0, 3, stride, act, 'depthwise'),
      layer(`${l}.reduce_1x1`, width[i + 1]!, 1, 1),
    ];
    return { name: `${p}${l}`, layers, residual: stride === 1 && width[i] === width[i + 1] };
  });
  const fine = flag(c, 'finegrained_output', true) && multiplier < 1;
  const last = [layer('conv_1x1', fine ? 1280 : channels(1280), 1, 1, act)];
  return { image: imageSize ?? ownImage, tfPadding: flag(c, 'tf_padding', true), stem, blocks, last, head: 'classifier' };
}

/** `model_type` efficientnet. */
export function hfEfficientNet(c: Config, imageSize: Size): Chain {
  const p = backbonePrefix(c);
  const [divisor, factor] = [integer(c, 'depth_divisor', 8), real(c, 'width_coefficient', 2, 0.01, 16)];
  const depth = real(c, 'depth_coefficient', 3.1, 0.01, 16);
  const width = (n: number): number => divisible(n * factor, divisor, divisor);
  const list = (key: string, preset: readonly number[]): readonly number[] => stagesOf(c, key, preset);
  const kernels = list('kernel_sizes', [3, 3, 5, 3, 5, 5, 3]);
  const reads = list('in_channels', [32, 16, 24, 40, 80, 112, 192]);
  const gives = list('out_channels', [16, 24, 40, 80, 112, 192, 320]);
  const strides = list('strides', [1, 2, 2, 2, 1, 2, 1]);
  const repeats = list('num_block_repeats', [1, 2, 2, 3, 3, 4, 1]);
  const expansions = list('expand_ratios', [1, 6, 6, 6, 6, 6, 6]);
  // Blocks whose padding is even on both sides.
  const even = new Set(indices(c, 'depthwise_padding'));
  const squeeze = real(c, 'squeeze_expansion_ratio', 0.25, 0.001, 1);
  const eps = real(c, 'batch_norm_eps', 0.001);
  const act = activationOf(c, 'swish');
  const ownImage = pair(c, 'image_size', 600);
  only(c, 'pooling_type', 'mean');
  const top = width(1280);
  only(c, 'hidden_dim', top);
  // Written from the repeats; of training.
  ignore(c, ['num_hidden_layers', 'batch_norm_momentum']);

  const layer: Made = (conv, norm, more) => ({ names: { conv: `${p}${conv}`, norm: `${p}${norm}`, eps }, kind: 'dense', ...more });
  const trailing = { tfPadding: false, padding: 'trailing' as const };
  const stem = [
    layer('embeddings.convolution', 'embeddings.batchnorm', { out: width(32), kernel: 3, stride: 2, activation: act, padding: trailing }),
  ];
  const blocks: ConvBlock[] = [];
  gives.forEach((out, s) => {
    const n = Math.ceil(depth * repeats[s]!);
    for (let i = 0; i < n; i++) {
      const before = width(i === 0 ? reads[s]! : out);
      const padding = even.has(blocks.length) ? { tfPadding: false } : trailing;
      const depthwise = { kernel: kernels[s]!, stride: i === 0 ? strides[s]! : 1, activation: act, kind: 'depthwise' as const, padding };
      const sizes = { inner: before * expansions[s]!, out: width(out), squeeze: Math.max(1, Math.trunc(before * squeeze)) };
      // Every block of a stage but its first adds its input.
      blocks.push(mbConv(layer, `encoder.blocks.${blocks.length}`, { ...sizes, expands: expansions[s] !== 1, adds: i > 0 }, depthwise));
    }
  });
  const last = [layer('encoder.top_conv', 'encoder.top_bn', { out: top, kernel: 1, stride: 1, activation: act })];
  return { image: imageSize ?? ownImage, tfPadding: false, stem, blocks, last, head: 'classifier' };
}

/** A convolution of EfficientNet's, by its names without what stands before all of them. */
type Made = (conv: string, norm: string, more: Pick<ConvLayer, 'out' | 'kernel' | 'stride'> & Partial<ConvLayer>) => ConvLayer;

/** Block `l`: a 1×1 that expands, a depthwise convolution with squeeze-excite, a 1×1. */
function mbConv(
  layer: Made,
  l: string,
  { inner, out, squeeze, expands, adds }: { inner: number; out: number; squeeze: number; expands: boolean; adds: boolean },
  depthwise: Omit<ConvLayer, 'names' | 'out' | 'squeeze'> & { activation: Kind },
): ConvBlock {
  const point = { kernel: 1, stride: 1 };
  const { activation, stride } = depthwise;
  const filter = layer(`${l}.depthwise_conv.depthwise_conv`, `${l}.depthwise_conv.depthwise_norm`, { ...depthwise, out: inner });
  const se = filter.names.conv.replace(/depthwise_conv\.depthwise_conv$/, 'squeeze_excite');
  filter.squeeze = { reduce: `${se}.reduce`, expand: `${se}.expand`, width: squeeze, activation, gate: Kind.Sigmoid };
  const first = expands ? [layer(`${l}.expansion.expand_conv`, `${l}.expansion.expand_bn`, { out: inner, ...point, activation })] : [];
  const last = layer(`${l}.projection.project_conv`, `${l}.projection.project_bn`, { out, ...point });
  return { name: se.replace(/\.squeeze_excite$/, ''), layers: [...first, filter, last], residual: stride === 1 && adds };
}

/** A list of one number a stage. */
function stagesOf(c: Config, key: string, preset: readonly number[]): readonly number[] {
  const found = integers(c, key, preset, key === 'num_block_repeats' ? MOST_LAYERS : 65536);
  const stages = integers(c, 'out_channels', [16, 24, 40, 80, 112, 192, 320]).length;
  if (found.length !== stages)
    throw new InputError({ where: c.where, what: `key "${key}" has not one number a stage`, got: found.length, expected: stages });
  return found;
}

/** A list of whole numbers from 0 on. */
function indices(c: Config, key: string): readonly number[] {
  const value = c.get(key) ?? [];
  if (Array.isArray(value) && value.length <= MOST_LAYERS && value.every((n) => Number.isSafeInteger(n) && n >= 0)) return value;
  throw new InputError({ where: c.where, what: `key "${key}" has a wrong value`, expected: 'a list of whole numbers from 0 on' });
}
