/** Families of convolutions and attention for phones, as src/import/families.ts has the others. */

import { type EdgeNext, edgeNext, isEdgeNext, timmEdgeNext } from './edgenext.ts';
import { checkEfficientFormer, type EfficientFormer, efficientFormer, isEfficientFormer, timmEfficientFormer } from './efficientformer.ts';
import type { Family } from './family.ts';
import { type FastVit, fastVit, isFastVit, timmFastVit } from './fastvit.ts';
import { checkHiera, type Hiera, hiera, isHiera, timmHiera } from './hiera.ts';
import { isTimmMobileVitV2, type MobileVitV2, mobileVitV2, timmMobileVitV2 } from './mobilevitv2.ts';
import { named, timm } from './readers.ts';

const MOBILEVITV2: Family<MobileVitV2> = {
  title: 'MobileViTV2',
  readers: [
    timm(
      isTimmMobileVitV2,
      named('mobilevitv2_$', '050 075 100 125 150 175 200'),
      ['mobilevitv2-timm', 'mobilevitv2-timm-fitting'],
      timmMobileVitV2,
    ),
  ],
  build: mobileVitV2,
  heads: () => ['head.fc'],
};

const FASTVIT: Family<FastVit> = {
  title: 'FastViT, MobileCLIP',
  readers: [
    timm(
      isFastVit,
      named('fastvit_$', 't8 t12 s12 sa12 sa24 sa36 ma36 mci0 mci1 mci2 mci3 mci4'),
      ['fastvit-timm', 'fastvit-timm-attention'],
      timmFastVit,
    ),
  ],
  build: fastVit,
  heads: () => ['head.fc'],
};

const EDGENEXT: Family<EdgeNext> = {
  title: 'EdgeNeXt',
  readers: [
    timm(isEdgeNext, named('edgenext_$', 'xx_small x_small small base small_rw'), ['edgenext-timm', 'edgenext-timm-rw'], timmEdgeNext),
  ],
  build: edgeNext,
  heads: () => ['head.fc'],
};

const EFFICIENTFORMER: Family<EfficientFormer> = {
  title: 'EfficientFormer',
  readers: [
    timm(
      isEfficientFormer,
      named('efficientformer_$', 'l1 l3 l7'),
      ['efficientformer-timm', 'efficientformer-timm-attention'],
      timmEfficientFormer,
    ),
  ],
  build: efficientFormer,
  heads: () => ['head', 'head_dist'],
  check: checkEfficientFormer,
};

const HIERA: Family<Hiera> = {
  title: 'Hiera',
  readers: [timm(isHiera, named('hiera_$_224', 'tiny small base base_plus large huge'), ['hiera-timm', 'hiera-timm-scaled'], timmHiera)],
  build: hiera,
  heads: () => ['head.fc'],
  check: checkHiera,
};

export const HYBRIDS: readonly Family[] = [MOBILEVITV2, FASTVIT, EDGENEXT, EFFICIENTFORMER, HIERA];
