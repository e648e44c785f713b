/** Families of convolutions and attention for phones, as src/import/families.ts has the others. */
import type { Family } from './family.ts';
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

export const HYBRIDS: readonly Family[] = [MOBILEVITV2];
