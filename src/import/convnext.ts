/** ConvNeXt v1 (arXiv 2201.03545): depthwise 7×7, layer norm over channels, two linear layers, layer scale; Hugging Face and timm. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integer, integers, MOST_LAYERS, only, pair, real, section } from '../formats/config.ts';
import { lastDim } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import type { Builder } from '../network/builder.ts';
import { conv, layerScale, patches } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, layerNorm, linear, pool, residual, responseNorm } from '../network/layer.ts';
import { activationOf } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { inputSize } from './timm.ts';

/** Where a checkpoint keeps each tensor. */
interface Names {
  stem: { conv: string; norm: string };
  /** Before stage s > 0. */
  shrink(s: number): { norm: string; conv: string };
  block(s: number, i: number): string;
  /** Within a block. */
  inner: { filter: string; norm: string; fc1: string; fc2: string; scale?: string; response?: string };
  /** Axes of the response norm's tensors: 1, or 4 of which three have length 1. */
  responseAxes?: number;
  /** Axes of the layer scale in the file: 1, or 3 of which two have length 1. */
  scaleAxes?: number;
  norm: string;
  /** A layer and its activation between the last norm and the head. */
  hidden?: { layer: string; width: number };
  head: string;
}

export interface ConvNext {
  image: readonly [number, number];
  patch: number;
  widths: readonly number[];
  depths: readonly number[];
  /** Epsilon of every norm, and of the last. */
  eps: number;
  lastEps: number;
  activation: Kind;
  /** The linear layers are stored, and run in PyTorch, as 1×1 convolutions. */
  pointwise: boolean;
  names: Names;
}

/** x: pixels [B,H,W,C]; returns logits [B,classes]. */
export function convNext(b: Builder, x: number, spec: ConvNext, classes: number): number {
  const { names, eps, patch } = spec;
  let h = layerNorm(b, patches(b, x, names.stem.conv, spec.widths[0]!, [patch, patch]), names.stem.norm, eps);
  const total = spec.depths.reduce((n, d) => n + d);
  const blocks = { count: depthOf(b.method, total), extraTokens: 0 };
  let index = 0;
  for (const [s, width] of spec.widths.entries()) {
    if (index === blocks.count) break;
    if (s > 0) {
      const shrink = names.shrink(s);
      h = patches(b, layerNorm(b, h, shrink.norm, eps), shrink.conv, width, [2, 2]);
    }
    for (let i = 0; i < spec.depths[s]! && index < blocks.count; i++)
      h = block(b, enterBlock(b, h, index++, blocks), spec, names.block(s, i), width);
  }
  leaveBlocks(b, blocks);
  const pooled = pool(b, h, 'pool');
  // The last norm has the last stage's width: a network that ends where the width is another has none.
  const normed = lastDim(b.graph, h) === spec.widths.at(-1) ? layerNorm(b, pooled, names.norm, spec.lastEps) : pooled;
  if (names.hidden === undefined || index !== total) return classifier(b, normed, names.head, classes);
  const { layer, width } = names.hidden;
  return classifier(b, activation(b, linear(b, normed, layer, width), `${layer}.act`, spec.activation), names.head, classes);
}

function block(b: Builder, x: number, spec: ConvNext, name: string, width: number): number {
  const { filter, norm, fc1, fc2, scale, response } = spec.names.inner;
  const mixed = conv(b, x, { conv: `${name}.${filter}`, eps: 0 }, width, { kernel: 7, stride: 1, tfPadding: false }, true);
  const dense = (h: number, layer: string, n: number): number =>
    spec.pointwise ? conv(b, h, { conv: layer, eps: 0 }, n, { kernel: 1, stride: 1, tfPadding: false }) : linear(b, h, layer, n);
  const hidden = dense(layerNorm(b, mixed, `${name}.${norm}`, spec.eps), `${name}.${fc1}`, 4 * width);
  const active = activation(b, hidden, `${name}.act`, spec.activation);
  const normed = response ? responseNorm(b, active, `${name}.${response}`, 1e-6, spec.names.responseAxes) : active;
  const out = dense(normed, `${name}.${fc2}`, width);
  if (scale) layerScale(b, `${name}.${fc2}`, `${name}.${scale}`, spec.names.scaleAxes);
  return residual(b, x, out, `${name}.add`);
}

function checked(c: Config, spec: ConvNext): ConvNext {
  const [widths, depths] = [spec.widths.length, spec.depths.length];
  if (widths !== depths)
    throw new InputError({ where: c.where, what: 'stages and widths differ in number', got: `${depths} and ${widths}` });
  return spec;
}

/** `model_type` convnext and convnextv2, which norms its responses in place of a layer scale. */
export function hfConvNext(c: Config, imageSize: readonly [number, number] | undefined, type = 'convnext'): ConvNext {
  const isV2 = type === 'convnextv2';
  const p = backbonePrefix(c);
  const ownImage = pair(c, 'image_size', 224);
  const depths = integers(c, 'depths', [3, 3, 9, 3], MOST_LAYERS);
  for (const key of ['num_stages', 'num_hidden_layers']) only(c, key, depths.length);
  return checked(c, {
    image: imageSize ?? ownImage,
    patch: integer(c, 'patch_size', 4),
    widths: integers(c, 'hidden_sizes', [96, 192, 384, 768]),
    depths,
    eps: 1e-6,
    lastEps: real(c, 'layer_norm_eps', 1e-12),
    activation: activationOf(c, 'gelu'),
    pointwise: false,
    names: {
      stem: { conv: `${p}embeddings.patch_embeddings`, norm: `${p}embeddings.layernorm` },
      shrink(s) {
        const l = `${p}encoder.stages.${s}.downsampling_layer`;
        return { norm: `${l}.0`, conv: `${l}.1` };
      },
      block: (s, i) => `${p}encoder.stages.${s}.layers.${i}`,
      inner: {
        filter: 'dwconv',
        norm: 'layernorm',
        fc1: 'pwconv1',
        fc2: 'pwconv2',
        ...(isV2 ? { response: 'grn' } : real(c, 'layer_scale_init_value', 1e-6) > 0 ? { scale: 'layer_scale_parameter' } : {}),
      },
      responseAxes: 4,
      norm: `${p}layernorm`,
      head: 'classifier',
    },
  });
}

/** Width of the first stage and depths, by size. */
const SIZES: Readonly<Record<string, readonly [number, readonly number[]]>> = {
  atto: [40, [2, 2, 6, 2]],
  femto: [48, [2, 2, 6, 2]],
  pico: [64, [2, 2, 6, 2]],
  nano: [80, [2, 2, 8, 2]],
  tiny: [96, [3, 3, 9, 3]],
  small: [96, [3, 3, 27, 3]],
  base: [128, [3, 3, 27, 3]],
  large: [192, [3, 3, 27, 3]],
  xlarge: [256, [3, 3, 27, 3]],
  xxlarge: [384, [3, 4, 30, 3]],
  huge: [352, [3, 3, 27, 3]],
};

/** Other suffixes (_ols, _hnf, _rms) are other graphs. */
const CONVNEXT = /^convnext(?:(v2)_(huge)|(v2)?_(atto|femto|pico|nano|tiny|small|base|large|xlarge|xxlarge)|_(large)(_mlp))$/;
export const isTimmConvNext = (architecture: string): boolean => CONVNEXT.test(architecture);

export function timmConvNext(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): ConvNext {
  const [, hugeV2, huge, plainV2, plain, large, mlp] = CONVNEXT.exec(architecture) as unknown as (string | undefined)[];
  const [v2, size] = [hugeV2 ?? plainV2, huge ?? plain ?? large!];
  const [width, depths] = SIZES[size]!;
  const args = section(c, 'model_args');
  for (const [key, ...values] of SAME_GRAPH) only(args, key, ...values);
  absent(args, 'norm_layer');
  if (!mlp) absent(args, 'head_hidden_size');
  const eps = real(args, 'norm_eps', size === 'xxlarge' ? 1e-5 : 1e-6);
  only(args, 'use_grn', v2 !== undefined);
  // null says that there is no layer scale.
  const scaled = args.get('ls_init_value') !== null && v2 === undefined;
  return checked(c, {
    image: imageSize ?? inputSize(c) ?? [224, 224],
    patch: integer(args, 'patch_size', 4),
    widths: integers(
      args,
      'dims',
      [1, 2, 4, 8].map((n) => n * width),
    ),
    depths: integers(args, 'depths', depths, MOST_LAYERS),
    eps,
    lastEps: eps,
    activation: Kind.Gelu,
    pointwise: flag(args, 'conv_mlp', /^(atto|femto|pico|nano)$/.test(size)),
    names: {
      stem: { conv: 'stem.0', norm: 'stem.1' },
      shrink: (s) => ({ norm: `stages.${s}.downsample.0`, conv: `stages.${s}.downsample.1` }),
      block: (s, i) => `stages.${s}.blocks.${i}`,
      inner: {
        filter: 'conv_dw',
        norm: 'norm',
        fc1: 'mlp.fc1',
        fc2: 'mlp.fc2',
        ...(scaled ? { scale: 'gamma' } : {}),
        ...(v2 ? { response: 'mlp.grn' } : {}),
      },
      norm: 'head.norm',
      ...(mlp ? { hidden: { layer: 'head.pre_logits.fc', width: integer(args, 'head_hidden_size', 1536) } } : {}),
      head: 'head.fc',
    },
  });
}

/** Settings of timm's ConvNeXt class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, ...unknown[]])[] = [
  ['kernel_sizes', 7],
  ['output_stride', 32],
  ['stem_type', 'patch'],
  ['conv_bias', true],
  ['head_norm_first', false],
  ['act_layer', 'gelu'],
  ['global_pool', 'avg'],
];
