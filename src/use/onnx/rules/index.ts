/** How each operator of ours is written in ONNX's; what is not here has no counterpart. */
import { Activation } from './activations.ts';
import * as attention from './attention.ts';
import * as dense from './dense.ts';
import * as norms from './norms.ts';
import type { Rule } from './rule.ts';
import * as spatial from './spatial.ts';
import * as tokens from './tokens.ts';

export const RULES: Readonly<Record<string, Rule>> = { Activation, ...attention, ...dense, ...norms, ...spatial, ...tokens };
