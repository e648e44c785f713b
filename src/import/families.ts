/**
 * Every family of networks that is read, and by which names. Golden files and a row of docs/models.md belong to each:
 * test/import/families.test.ts says which is missing.
 */

import { type Chain, chain, foldedLayers } from './chain.ts';
import { designOf } from './chaintables.ts';
import { CONVOLUTIONAL } from './convfamilies.ts';
import { type ConvNext, convNext, hfConvNext, isTimmConvNext, timmConvNext } from './convnext.ts';
import { type DenseNet, denseNet, isDenseNet, timmDenseNet, tvDenseNet } from './densenet.ts';
import type { Family, Library, Reader } from './family.ts';
import { type GhostNet, ghostNet, isGhostNet, timmGhostNet } from './ghostnet.ts';
import { hfEfficientNet, hfMobileNet, hfMobileNetV1 } from './hfchain.ts';
import { hfSwin } from './huggingface.ts';
import { HYBRIDS } from './hybridfamilies.ts';
import { hfMobileVit, isTimmMobileVit, type MobileVit, mobileVit, timmMobileVit } from './mobilevit.ts';
import { checkPvt, hfPvt, isTimmPvt, type Pvt, pvt, timmPvt } from './pvt.ts';
import { named, timm, torchvision, transformers } from './readers.ts';
import { hfRegNet, isTimmRegNet, timmRegNet, tvRegNet } from './regnet.ts';
import { isTimmRep, timmRep } from './repvgg.ts';
import { hfResNet, isTimmResNet, type ResNet, resNet, timmResNet, tvResNet } from './resnet.ts';
import { isTimmResNetV2, type ResNetV2, resNetV2, timmResNetV2 } from './resnetv2.ts';
import { type ShuffleNet, shuffleNet, tvShuffleNet } from './shufflenet.ts';
import { checkSwin, type Swin, swin, swinMergings, swinProjections } from './swin.ts';
import { hfSwinV2, isTimmSwinV2, timmSwinV2, tvSwinV2 } from './swinv2.ts';
import { isTimmSwin, timmSwin } from './timm.ts';
import { timmChain } from './timmchain.ts';
import { isTinyVit, type TinyVit, timmTinyVit, tinyVit, tinyVitPath } from './tinyvit.ts';
import { tvConvNext, tvSwin } from './torchvision.ts';
import { tvChain } from './tvchain.ts';
import { isVgg, timmVgg, tvVgg, type Vgg, vgg } from './vgg.ts';
import { VISION_TRANSFORMERS } from './vitfamilies.ts';

/** timm's chains of blocks whose names begin so. */
const chains = (pattern: RegExp, names: readonly string[], golden: readonly string[]): Reader<Chain> =>
  timm((name) => pattern.test(name) && designOf(name) !== undefined, names, golden, timmChain);

const asChain = { build: chain, heads: ({ head }: Chain) => [head], replaced: ['segmentation_head'], folded: foldedLayers };

const SWIN: Family<Swin> = {
  title: 'Swin v1',
  readers: [
    transformers(['swin'], ['swin-hf', 'swin-hf-pad'], hfSwin),
    timm(isTimmSwin, named('swin_$_patch4_window7_224', 'tiny small base large'), ['swin-timm', 'swin-timm-pad'], timmSwin),
    torchvision(named('swin_$', 't s b'), ['swin-torchvision'], tvSwin),
  ],
  build: swin,
  heads: ({ names }) => [names.head],
  check: checkSwin,
  projections: swinProjections,
  mergings: swinMergings,
  dropPath: 0.1,
};

const SWINV2: Family<Swin> = {
  ...SWIN,
  title: 'Swin V2',
  readers: [
    transformers(['swinv2'], ['swinv2-hf'], hfSwinV2),
    timm(
      isTimmSwinV2,
      named(
        'swinv2_$',
        'tiny_window8_256 tiny_window16_256 small_window8_256 small_window16_256 base_window8_256 base_window16_256 base_window12_192 base_window12to16_192to256 base_window12to24_192to384 large_window12_192 large_window12to16_192to256 large_window12to24_192to384',
      ),
      ['swinv2-timm'],
      timmSwinV2,
    ),
    torchvision(named('swin_v2_$', 't s b'), ['swinv2-torchvision'], tvSwinV2),
  ],
};

const PVT: Family<Pvt> = {
  title: 'PVTv2',
  readers: [
    transformers(['pvt_v2'], ['pvtv2-hf'], hfPvt),
    timm(isTimmPvt, named('pvt_v2_$', 'b0 b1 b2 b3 b4 b5'), ['pvtv2-timm'], timmPvt),
  ],
  build: pvt,
  heads: ({ names }) => [names.head],
  check: checkPvt,
};

const TINYVIT: Family<TinyVit> = {
  title: 'TinyViT',
  readers: [timm(isTinyVit, named('tiny_vit_$', '5m_224 11m_224 21m_224 21m_384 21m_512'), ['tinyvit-timm'], timmTinyVit)],
  build: tinyVit,
  heads: () => ['head.fc'],
  dropPath: tinyVitPath,
};

const RESNET: Family<ResNet> = {
  title: 'ResNet, ResNeXt; with squeeze-excite (SE), another stem (C, D, S, T), anti-aliased',
  readers: [
    transformers(['resnet'], ['resnet-hf', 'resnet-hf-basic', 'resnet-hf-v1'], hfResNet),
    timm(
      isTimmResNet,
      [
        ...named(
          'resnet$',
          '18 26 34 50 101 152 200 18d 26d 34d 50d 101d 152d 200d 10t 14t 26t 50c 101c 152c 50s 101s 152s aa34d aa50 aa50d aa101d',
        ),
        ...named('wide_resnet$_2', '50 101'),
        ...named('resnext$', '50_32x4d 50d_32x4d 101_32x4d 101_32x8d 101_64x4d 101_32x16d'),
        ...named(
          'seres$',
          'net18 net34 net50 net101 net152 net152d next50_32x4d next101_32x4d next26d_32x4d next26t_32x4d netaa50d nextaa101d_32x8d nextaa101d_64x8d',
        ),
        'resnet50_gn',
      ],
      [
        'resnet18-timm',
        'resnet50-timm',
        'resnet50gn-timm',
        'resnext-timm',
        'seresnet-timm',
        'resnetd-timm',
        'resnett-timm',
        'resnets-timm',
        'resnetaa-timm',
      ],
      timmResNet,
    ),
    torchvision(
      [...named('resnet$', '18 34 50 101 152'), ...named('wide_resnet$_2', '50 101'), ...named('resnext$d', '50_32x4 101_32x8 101_64x4')],
      ['resnet-torchvision'],
      tvResNet,
    ),
  ],
  build: resNet,
  heads: ({ head }) => [head],
  replaced: ['segmentation_head'],
};

const RESNETV2: Family<ResNetV2> = {
  title: 'ResNet v2, BiT',
  readers: [
    timm(
      isTimmResNetV2,
      named('resnetv2_$', '18 18d 34 34d 50 50d 50t 101 101d 152 152d 50x1_bit 50x3_bit 101x1_bit 101x3_bit 152x2_bit 152x4_bit'),
      ['resnetv2-timm', 'resnetv2-timm-basic', 'bit-timm'],
      timmResNetV2,
    ),
  ],
  build: resNetV2,
  heads: () => ['head.fc'],
};

const CONVNEXT: Family<ConvNext> = {
  title: 'ConvNeXt v1',
  readers: [
    transformers(['convnext'], ['convnext-hf'], hfConvNext),
    timm(
      isTimmConvNext,
      named('convnext_$', 'atto femto pico nano tiny small base large xlarge xxlarge large_mlp'),
      ['convnext-timm', 'convnext-timm-conv', 'convnext-timm-mlp'],
      timmConvNext,
    ),
    torchvision(named('convnext_$', 'tiny small base large'), ['convnext-torchvision'], tvConvNext),
  ],
  build: convNext,
  heads: ({ names }) => [names.head],
};

const CONVNEXTV2: Family<ConvNext> = {
  ...CONVNEXT,
  title: 'ConvNeXtV2',
  readers: [
    transformers(['convnextv2'], ['convnextv2-hf'], hfConvNext),
    timm(
      (name) => isTimmConvNext(name) && name.startsWith('convnextv2_'),
      named('convnextv2_$', 'atto femto pico nano tiny small base large huge'),
      ['convnextv2-timm'],
      timmConvNext,
    ),
  ],
};

const VGG: Family<Vgg> = {
  title: 'VGG',
  readers: [
    timm(isVgg, named('vgg$', '11 13 16 19 11_bn 13_bn 16_bn 19_bn'), ['vgg-timm-bn'], timmVgg),
    torchvision(named('vgg$', '11 13 16 19 11_bn 13_bn 16_bn 19_bn'), ['vgg-torchvision'], tvVgg),
  ],
  build: vgg,
  heads: ({ head }) => [head],
};

const MOBILENETV1: Family<Chain> = {
  ...asChain,
  title: 'MobileNetV1',
  readers: [transformers(['mobilenet_v1'], ['mobilenetv1-hf'], hfMobileNetV1)],
};

const MOBILENETV2: Family<Chain> = {
  ...asChain,
  title: 'MobileNetV2',
  readers: [
    transformers(['mobilenet_v2'], ['mobilenetv2-hf', 'mobilenetv2-hf-symmetric'], hfMobileNet),
    chains(/^mobilenetv2_/, named('mobilenetv2_$', '035 050 075 100 110d 120d 140'), ['mobilenetv2-timm']),
    torchvision(['mobilenet_v2'], ['mobilenetv2-torchvision'], tvChain),
  ],
};

const MOBILENETV3: Family<Chain> = {
  ...asChain,
  title: 'MobileNetV3',
  readers: [
    chains(
      /^(tf_)?mobilenetv3_/,
      [
        ...named('mobilenetv3_$', 'small_050 small_075 small_100 large_075 large_100 large_150d'),
        ...named('tf_mobilenetv3_$', 'small_100 large_100 small_minimal_100 large_minimal_100'),
      ],
      ['mobilenetv3-timm', 'mobilenetv3-timm-tf'],
    ),
    torchvision(['mobilenet_v3_small', 'mobilenet_v3_large'], ['mobilenetv3-torchvision'], tvChain),
  ],
};

const MOBILENETV4: Family<Chain> = {
  ...asChain,
  title: 'MobileNetV4',
  readers: [
    chains(
      /^mobilenetv4_/,
      named('mobilenetv4_$', 'conv_small_035 conv_small_050 conv_small conv_medium conv_large conv_aa_medium conv_aa_large').concat(
        named('mobilenetv4_hybrid_$', 'medium large medium_075 large_075'),
      ),
      ['mobilenetv4-timm', 'mobilenetv4-timm-hybrid'],
    ),
  ],
};

const EFFICIENTNET: Family<Chain> = {
  ...asChain,
  title: 'EfficientNet B, Lite, Edge and V2; TinyNet',
  readers: [
    transformers(['efficientnet'], ['efficientnet-hf'], hfEfficientNet),
    chains(
      /efficientnet|^tinynet_|^mobilenet_edgetpu_/,
      [
        ...named('efficientnet_$', 'b0 b1 b2 b3 b4 b5 b6 b7 b8 l2 lite0 lite1 lite2 lite3 lite4 es em el'),
        ...named('tf_efficientnet_$', 'b0 b1 b2 b3 b4 b5 b6 b7 b8 l2 lite0 lite1 lite2 lite3 lite4 es em el'),
        ...named('efficientnetv2_$', 's m l xl rw_t rw_s rw_m'),
        ...named('tf_efficientnetv2_$', 's m l xl b0 b1 b2 b3'),
        ...named('tinynet_$', 'a b c d e'),
        'mobilenet_edgetpu_100',
        'test_efficientnet',
      ],
      ['efficientnet-timm', 'efficientnet-timm-tiny'],
    ),
    torchvision(named('efficientnet_$', 'b0 b1 b2 b3 b4 b5 b6 b7 v2_s v2_m v2_l'), ['efficientnet-torchvision'], tvChain),
  ],
};

const MNASNET: Family<Chain> = {
  ...asChain,
  title: 'MNASNet',
  readers: [
    chains(/mnasnet_/, [...named('mnasnet_$', '050 075 100 140 small'), ...named('semnasnet_$', '050 075 100 140')], ['mnasnet-timm']),
  ],
};

const LCNET: Family<Chain> = {
  ...asChain,
  title: 'PP-LCNet',
  readers: [chains(/^lcnet_/, named('lcnet_$', '035 050 075 100 150'), ['lcnet-timm'])],
};

const REGNET: Family<Chain> = {
  ...asChain,
  title: 'RegNet X and Y',
  readers: [
    transformers(['regnet'], ['regnet-hf'], hfRegNet),
    timm(
      isTimmRegNet,
      [
        ...named('regnetx_$', '002 004 004_tv 006 008 016 032 040 064 080 120 160 320'),
        ...named('regnety_$', '002 004 006 008 008_tv 016 032 040 064 080 080_tv 120 160 320 640 1280 2560'),
      ],
      ['regnetx-timm', 'regnety-timm'],
      timmRegNet,
    ),
    torchvision(
      [
        ...named('regnet_x_$', '400mf 800mf 1_6gf 3_2gf 8gf 16gf 32gf'),
        ...named('regnet_y_$', '400mf 800mf 1_6gf 3_2gf 8gf 16gf 32gf 128gf'),
      ],
      ['regnet-torchvision'],
      tvRegNet,
    ),
  ],
};

const DENSENET: Family<DenseNet> = {
  title: 'DenseNet',
  readers: [
    timm(isDenseNet, named('densenet$', '121 161 169 201'), ['densenet-timm'], timmDenseNet),
    torchvision(named('densenet$', '121 161 169 201'), ['densenet-torchvision'], tvDenseNet),
  ],
  build: denseNet,
  heads: () => ['classifier'],
};

const GHOSTNET: Family<GhostNet> = {
  title: 'GhostNet',
  readers: [timm(isGhostNet, named('ghostnet_$', '050 100 130'), ['ghostnet-timm'], timmGhostNet)],
  build: ghostNet,
  heads: () => ['classifier'],
};

const SHUFFLENET: Family<ShuffleNet> = {
  title: 'ShuffleNetV2',
  readers: [torchvision(named('shufflenet_v2_$', 'x0_5 x1_0 x1_5 x2_0'), ['shufflenet-torchvision'], tvShuffleNet)],
  build: shuffleNet,
  heads: () => ['fc'],
};

const MOBILEVIT: Family<MobileVit> = {
  title: 'MobileViT',
  readers: [
    transformers(['mobilevit'], ['mobilevit-hf', 'mobilevit-hf-odd'], hfMobileVit),
    timm(isTimmMobileVit, named('mobilevit_$', 'xxs xs s'), ['mobilevit-timm'], timmMobileVit),
  ],
  build: mobileVit,
  heads: ({ head }) => [head],
};

const REPVGG: Family<Chain> = {
  build: chain,
  heads: ({ head }) => [head],
  title: 'RepVGG, MobileOne',
  readers: [
    timm(
      isTimmRep,
      [...named('repvgg_$', 'a0 a1 a2 b0 b1 b1g4 b2 b2g4 b3 b3g4 d2se'), ...named('mobileone_$', 's0 s1 s2 s3 s4')],
      ['repvgg-timm', 'mobileone-timm'],
      timmRep,
    ),
  ],
};

// biome-ignore format: one a line
export const FAMILIES: readonly Family[] = [
  ...VISION_TRANSFORMERS,
  SWIN,
  SWINV2,
  PVT,
  TINYVIT,
  RESNET,
  RESNETV2,
  REGNET,
  CONVNEXTV2,
  CONVNEXT,
  VGG,
  MOBILENETV1,
  MOBILENETV2,
  MOBILENETV3,
  MOBILENETV4,
  EFFICIENTNET,
  MNASNET,
  LCNET,
  REPVGG,
  DENSENET,
  GHOSTNET,
  SHUFFLENET,
  ...CONVOLUTIONAL,
  MOBILEVIT,
  ...HYBRIDS,
];

/** Who reads a name of a library's; undefined: nobody. */
export function readerOf(library: Library, name: string): { family: Family; reader: Reader } | undefined {
  for (const family of FAMILIES)
    for (const reader of family.readers) if (reader.library === library && reader.reads(name)) return { family, reader };
  return undefined;
}

/** Names of a library's that are read. */
export const namesOf = (library: Library): string[] =>
  FAMILIES.flatMap(({ readers }) => readers.filter((reader) => reader.library === library).flatMap(({ names }) => names));
