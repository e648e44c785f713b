/**
 * What every class of operator keeps for backward, as text and as data. A plan is `exact` or `s2a`, or either with overrides:
 *
 *     s2a,qkv=4,softmax=4        exact,gelu=4        gelu=f32 (over s2a)
 *
 * `name` is the canonical form: the base that needs fewer overrides, then those in the order below. Programs and adapters carry it.
 */
import { type ActivationClass, everyActivation } from './activations.ts';
import { InputError, nearest } from './error.ts';

/** f32 as it is, bits an element, or computed again in backward. */
export type Choice = 'f32' | '8' | '4' | '1' | 'recompute';

interface Class {
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

/** Of the other operators; method.md of the S2A paper's table, line by line. */
const OTHERS = {
  /** Layer norm's x̂. */
  ln: code('4', '8'),
  /** Group norm's x̂. */
  gn: code('4', '8'),
  /** Attention's operands. */
  qkv: code('8', '4'),
  /** Attention's probabilities, computed again from the operands as they were kept, or kept themselves. */
  softmax: { choices: ['recompute', '4'], exact: 'recompute', s2a: 'recompute' },
  /** The map of a squeeze-excite product; its factors stay f32. */
  gate: code('8', '4'),
  /** Inputs of layers whose weight learns. */
  input: code('8', '4'),
  /** Where each maximum of a pooling came from: exact. */
  pool: { choices: ['4'], exact: '4', s2a: '4' },
} as const satisfies Record<string, Class>;

export type KeepClass = ActivationClass | keyof typeof OTHERS;
const classes: Readonly<Record<KeepClass, Class>> = { ...activationClasses, ...OTHERS };
export const KEEP_CLASSES = Object.keys(classes) as KeepClass[];
export const choicesOf = (name: KeepClass): readonly Choice[] => classes[name].choices;

export interface KeepPlan {
  name: string;
  of: Readonly<Record<KeepClass, Choice>>;
}

const BASES = ['s2a', 'exact'] as const;
type Base = (typeof BASES)[number];
const baseOf = (base: Base): Record<KeepClass, Choice> =>
  Object.fromEntries(KEEP_CLASSES.map((name) => [name, classes[name][base]])) as Record<KeepClass, Choice>;

/** A plan from its choices, with its canonical name. */
export function keepPlan(of: Readonly<Record<KeepClass, Choice>>): KeepPlan {
  const names = BASES.map((base) => [base, ...KEEP_CLASSES.filter((c) => of[c] !== classes[c][base]).map((c) => `${c}=${of[c]}`)]);
  const [s2a, exact] = names as [string[], string[]];
  return { name: (exact.length < s2a.length ? exact : s2a).join(','), of: { ...of } };
}

/** Reads a plan; `where` names the flag or file that gave it. */
export function keepOf(text: string, where = '--keep'): KeepPlan {
  const items = text.split(',');
  const base = BASES.find((name) => name === items[0]);
  const of = baseOf(base ?? 's2a');
  const seen = new Set<string>();
  for (const item of base === undefined ? items : items.slice(1)) {
    const [name = '', choice] = item.split('=', 2) as [string, string?];
    if (!Object.hasOwn(classes, name) || choice === undefined) throw unknown(where, name, choice);
    if (seen.has(name)) throw new InputError({ where, what: `${name} is there twice`, got: text });
    seen.add(name);
    const { choices } = classes[name as KeepClass];
    if (!choices.includes(choice as Choice))
      throw new InputError({ where, what: `wrong choice for ${name}`, got: choice || 'nothing', expected: choices.join(' or ') });
    of[name as KeepClass] = choice as Choice;
  }
  return keepPlan(of);
}

function unknown(where: string, name: string, choice: string | undefined): InputError {
  if (Object.hasOwn(classes, name))
    return new InputError({
      where,
      what: `${name} has no choice`,
      expected: choicesOf(name as KeepClass)
        .map((c) => `${name}=${c}`)
        .join(' or '),
    });
  const isBase = (BASES as readonly string[]).includes(name);
  if (isBase)
    return new InputError({ where, what: `${name} must come first, and alone`, got: choice === undefined ? name : `${name}=${choice}` });
  const near = nearest(name, choice === undefined ? [...BASES, ...KEEP_CLASSES] : KEEP_CLASSES)[0];
  return new InputError({
    where,
    what: 'unknown operator class',
    got: name || 'nothing',
    expected: `${BASES.join(', ')}, or ${KEEP_CLASSES.join(', ')} with a choice, as gelu=4`,
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  });
}
