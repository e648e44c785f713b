/** Classes of operators, as a plan names them, and what each may keep for its backward. */
import { type ActivationClass, everyActivation } from './activations.ts';

/** f32 as it is, bits an element, or computed again in backward. */
export type Choice = 'f32' | '8' | '4' | '1' | 'recompute';

/** What an operator class may keep, and what the two bases keep of it. */
export interface Class {
  /** Every legal choice; an operator offers those that it can honour where it stands, else it keeps f32. */
  choices: readonly Choice[];
  exact: Choice;
  s2a: Choice;
}

const code = (s2a: Choice, ...more: Choice[]): Class => ({ choices: ['f32', ...more, s2a], exact: 'f32', s2a });

/** Of the activations: functions of two slopes have a bit, which is exact; the others codes of f′, in 8 bits where these hold it. */
const activationClasses = Object.fromEntries(
  everyActivation().map(({ keep, isPiecewise, isSteep }) => [keep, isPiecewise ? code('1') : isSteep ? code('4') : code('4', '8')]),
) as Record<ActivationClass, Class>;

/** Of the other operators, in the order of the S2A paper's table (arXiv 2503.08154). */
const OTHERS = {
  /** x̂ of layer norm and of norms without a mean. */
  ln: code('4', '8'),
  /** Group norm's x̂; the map of a response norm. */
  gn: code('4', '8'),
  /** Attention's operands. */
  qkv: code('8', '4'),
  /** Attention's probabilities, computed again from the operands as they were kept, or kept themselves. */
  softmax: { choices: ['recompute', '4'], exact: 'recompute', s2a: 'recompute' },
  /** The map of a squeeze-excite product, whose factors stay f32; both operands of a product. */
  gate: code('8', '4'),
  /** Inputs of layers whose weight learns. */
  input: code('8', '4'),
  /** Where each maximum of a pooling came from: exact. */
  pool: { choices: ['4'], exact: '4', s2a: '4' },
} as const satisfies Record<string, Class>;

export type KeepClass = ActivationClass | keyof typeof OTHERS;
export const classes: Readonly<Record<KeepClass, Class>> = { ...activationClasses, ...OTHERS };
export const KEEP_CLASSES = Object.keys(classes) as KeepClass[];
export const choicesOf = (name: KeepClass): readonly Choice[] => classes[name].choices;
