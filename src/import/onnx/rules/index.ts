/** What each operator of the format becomes. One that is in none of these tables is not supported. */
import type { Rules } from '../lower.ts';
import { arithmetic } from './arithmetic.ts';
import { convolution } from './convolution.ts';
import { dense } from './dense.ts';
import { functions } from './functions.ts';
import { normalise } from './normalise.ts';
import { parts } from './parts.ts';
import { reorder } from './reorder.ts';
import { resizing } from './resize.ts';
import { asWindows } from './windows.ts';

export const RULES: Rules = {
  byOperator: {
    ...arithmetic,
    ...convolution,
    ...dense,
    ...functions,
    ...normalise,
    ...parts,
    ...reorder,
    ...resizing,
  },
  windows: asWindows,
};
