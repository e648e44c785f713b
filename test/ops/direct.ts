/** The cases of every operator that has no derivative of its own. */
import { batchNormCases } from './cases/affine.ts';
import { cosineCases } from './cases/cosine.ts';
import { crossEntropyCases } from './cases/crossentropy.ts';
import { distanceCases } from './cases/distance.ts';
import { distortCases } from './cases/distort.ts';
import { groupStatsCases } from './cases/groupnorm.ts';
import { initCases } from './cases/init.ts';
import { lossesCases } from './cases/losses.ts';
import { mixCases } from './cases/mix.ts';
import { pixelsCases } from './cases/pixels.ts';
import { quantizeCases } from './cases/quantize.ts';
import { rateCases } from './cases/rate.ts';
import { responseStatsCases } from './cases/response.ts';
import { rotaryTableCases } from './cases/rotary.ts';
import { updateCases } from './cases/update.ts';
import type { Direct } from './table.ts';

export const directCases: readonly Direct[] = [
  ...pixelsCases,
  ...crossEntropyCases,
  ...lossesCases,
  ...updateCases,
  ...rateCases,
  ...initCases,
  ...quantizeCases,
  ...groupStatsCases,
  ...responseStatsCases,
  ...rotaryTableCases,
  ...batchNormCases,
  ...distanceCases,
  ...distortCases,
  ...mixCases,
  ...cosineCases,
];
