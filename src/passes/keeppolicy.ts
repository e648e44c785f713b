/**
 * What every class of operator keeps for backward, as text and as data. A plan is `exact` or `s2a`, or either with overrides:
 *
 *     s2a,qkv=4,softmax=4        exact,gelu=4        gelu=f32 (over s2a)
 *
 * `name` is the canonical form: the base that needs fewer overrides, then those in the order below. Programs and adapters carry it.
 */
import { InputError, nearest } from '../base/error.ts';
import { type Choice, choicesOf, classes, KEEP_CLASSES, type KeepClass } from '../ops/keepclasses.ts';

/** What is kept for backward, class by class of operators. */
export interface KeepPolicy {
  /** The policy as text, in canonical form: what programs and reports carry. */
  name: string;
  /** The choice for each class. */
  of: Readonly<Record<KeepClass, Choice>>;
}

const BASES = ['s2a', 'exact'] as const;
type Base = (typeof BASES)[number];
const baseOf = (base: Base): Record<KeepClass, Choice> =>
  Object.fromEntries(KEEP_CLASSES.map((name) => [name, classes[name][base]])) as Record<KeepClass, Choice>;

/** A plan from its choices, with its canonical name. */
export function keepPolicy(of: Readonly<Record<KeepClass, Choice>>): KeepPolicy {
  const names = BASES.map((base) => [base, ...KEEP_CLASSES.filter((c) => of[c] !== classes[c][base]).map((c) => `${c}=${of[c]}`)]);
  const [s2a, exact] = names as [string[], string[]];
  return { name: (exact.length < s2a.length ? exact : s2a).join(','), of: { ...of } };
}

/** A policy as text, or as it was read: text is read where it comes in, and travels as a value from there. */
export type KeepLike = KeepPolicy | string;

/**
 * Reads a policy such as `s2a,qkv=4`; one that has been read is returned as it is. `where` names the flag or file that gave it. Throws
 * InputError for a class or a choice that there is not.
 */
export function keepOf(given: KeepLike, where = '--keep'): KeepPolicy {
  return typeof given === 'string' ? readPolicy(given, where) : given;
}

function readPolicy(text: string, where: string): KeepPolicy {
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
  return keepPolicy(of);
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
