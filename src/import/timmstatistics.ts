/** How pictures are prepared for weights of timm's that come without their configuration: the network's name, with a tag or without, says it. */

import type { Preprocess } from '../input/preprocess.ts';
import { readTimm } from '../input/timm.ts';

/** Mean and deviation of the three channels. */
type Statistics = readonly [mean: readonly number[], std: readonly number[]];

const IMAGENET: Statistics = [
  [0.485, 0.456, 0.406],
  [0.229, 0.224, 0.225],
];
const HALF: Statistics = [
  [0.5, 0.5, 0.5],
  [0.5, 0.5, 0.5],
];
/** Pictures stay as they are, from 0 to 1. */
const NONE: Statistics = [
  [0, 0, 0],
  [1, 1, 1],
];
const CLIP: Statistics = [
  [0.48145466, 0.4578275, 0.40821073],
  [0.26862954, 0.26130258, 0.27577711],
];
const SATELLITE: Statistics = [
  [0.43, 0.411, 0.296],
  [0.213, 0.156, 0.143],
];

/** The first that fits a name; ImageNet's where none does. Held against timm by test/import/timmstatistics.test.ts. */
const PUBLISHED: readonly (readonly [RegExp, Statistics])[] = [
  // Tags that are prepared otherwise than the other weights of their network.
  [
    /[._]dino$|\.mae$|^(vit_small_patch8_224|vit_(giant|huge)_patch\d+_gap_|efficientnet_b1\.ft|tf_efficientnet_b8\.ra|tf_efficientnetv2_b3\.in1k|inception_v3\.gluon)/,
    IMAGENET,
  ],
  [/\.(ra4_)?e3600_|^tf_efficientnet_b\d\.ap_/, HALF],
  [/miil/, NONE],
  [/\.sat493m$/, SATELLITE],
  [/^vit_.*\.bamboo|\.clip_|_clip_.*\.(apple|datacomp|dfn|laion400m|metaclip|openai)/, CLIP],
  // Networks, by the weights that timm loads where no tag is said.
  [/^(beit_|flexivit_|resnetv2_|(tf_|adv_)?inception_v3|.*_siglip_|vit_large_patch14_clip_\d)/, HALF],
  [/^vit_\w+_patch\d+_(36x1_|plus_)?(reg\d_)?(gap_)?\d+(\.|$)/, HALF],
  [/^(tf_mobilenetv3_|mobilenetv3_large_150d|mobilenetv4_conv_small_0\d\d|efficientnet_b1(\.|$))/, HALF],
  [/^(tf_efficientnet_(b8|lite|e[sml])|tf_efficientnetv2_(s|m|l|xl|b3)(\.|$))/, HALF],
  [/^(mobilevit|fastvit_mci[012])/, NONE],
  [/^(eva02_|vit_.*_clip_|convnext_(xxlarge|large_mlp)|fastvit_mci[34])/, CLIP],
];

/** Of a network by its name, `resnet50` or `resnet50.a1_in1k`. */
export const timmStatistics = (architecture: string): Statistics =>
  PUBLISHED.find(([pattern]) => pattern.test(architecture))?.[1] ?? IMAGENET;

/** As timm prepares pictures where a configuration says no more than this: seven eighths of them, bicubic. */
export function timmPreprocess(architecture: string, [height, width]: readonly [number, number], channels: number): Preprocess {
  const [mean, std] = timmStatistics(architecture);
  return readTimm({ input_size: [channels, height, width], mean, std }, architecture, undefined, channels);
}
