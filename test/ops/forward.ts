/** The cases of every operator that has a derivative. */
import { affineCases } from './cases/affine.ts';
import { attentionCases } from './cases/attention.ts';
import { averagePoolCases } from './cases/averagepool.ts';
import { crossAttentionCases } from './cases/crossattention.ts';
import { denseCases } from './cases/dense.ts';
import { dropCases } from './cases/drop.ts';
import { elementwiseCases } from './cases/elementwise.ts';
import { gateCases } from './cases/gate.ts';
import { groupConvCases } from './cases/groupconv.ts';
import { groupNormCases } from './cases/groupnorm.ts';
import { joinCases } from './cases/join.ts';
import { moduleCases } from './cases/module.ts';
import { normCases } from './cases/norm.ts';
import { productCases } from './cases/product.ts';
import { rearrangeCases } from './cases/rearrange.ts';
import { resizeCases } from './cases/resize.ts';
import { responseCases } from './cases/response.ts';
import { rmsNormCases } from './cases/rmsnorm.ts';
import { rotaryCases } from './cases/rotary.ts';
import { spatialCases } from './cases/spatial.ts';
import { tokensCases } from './cases/tokens.ts';
import { windowCases } from './cases/window.ts';
import type { Forward } from './table.ts';

export const forwardCases: readonly Forward[] = [
  ...denseCases,
  ...spatialCases,
  ...elementwiseCases,
  ...normCases,
  ...attentionCases,
  ...tokensCases,
  ...moduleCases,
  ...windowCases,
  ...gateCases,
  ...dropCases,
  ...groupNormCases,
  ...affineCases,
  ...groupConvCases,
  ...averagePoolCases,
  ...joinCases,
  ...productCases,
  ...rearrangeCases,
  ...rmsNormCases,
  ...responseCases,
  ...crossAttentionCases,
  ...resizeCases,
  ...rotaryCases,
];
