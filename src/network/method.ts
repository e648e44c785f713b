/**
 * What learns, as text and as data. A method is `probe`, `full`, or any of `bias`, `prompt`, `side`, `lora` joined by `+`; a part may have
 * options, `last` limits learning to the last blocks, and `depth` the network to its first ones:
 *
 *     bias+prompt:rank=8+side:ratio=8+last:blocks=4
 *
 * `name` is the canonical form, defaults filled in: adapters and programs carry it and it says everything.
 */
import { InputError, nearest } from '../base/error.ts';
import type { Kind } from '../graph/graph.ts';

/** What learns. Written as text it says everything: `bias+prompt:rank=8+side:ratio=8`. */
export interface Method {
  /** The text, in canonical form: what programs and adapters carry. */
  name: string;
  /** The head alone, everything, or the modules below. */
  base: 'probe' | 'full' | 'modules';
  /** S2A's bias module: every bias and layer-norm beta; a layer without a bias gets a zero one. */
  bias: boolean;
  /** Low-rank prompt at each block's entry. */
  prompt?: { rank: number };
  /** Lite side branch. `ratio`: channels pooled into one. `residual` 1 adds a side block's input to its output; `tap` 0 cuts its gradient. */
  side?: { ratio: number; residual: number; tap: number };
  /**
   * The usual low-rank adaptation of weights, as a yardstick. `all` 0: queries and values; 1: every linear layer of a block. `targets` takes
   * their place: ends of layers' names, or query, key, value also where the three are one fused layer, joined by `/`.
   */
  lora?: { rank: number; alpha: number; all: number; targets?: string };
  /** Only the last so many blocks learn. */
  last?: { blocks: number };
  /** The network ends after so many blocks: the head reads what the last of them puts out. What would follow it is neither loaded nor run. */
  depth?: { blocks: number };
}

/** Most that an option of a number of blocks may say. */
export const MOST_BLOCKS = 4096;
/** Options of each part: default, least, most. */
const PARTS: Readonly<Record<string, Readonly<Record<string, readonly [number, number, number]>>>> = {
  bias: {},
  prompt: { rank: [8, 1, 4096] },
  side: { ratio: [8, 1, 4096], residual: [0, 0, 1], tap: [1, 0, 1] },
  lora: { rank: [8, 1, 4096], alpha: [8, 1, 65536], all: [0, 0, 1] },
  last: { blocks: [1, 1, MOST_BLOCKS] },
  depth: { blocks: [1, 1, MOST_BLOCKS] },
};
/** Options that are lists of names, where given. */
const LISTS: Readonly<Record<string, readonly string[]>> = { lora: ['targets'] };
type Options = Record<string, number | string>;
const BASES: readonly string[] = ['probe', 'full'];
/** Parts that say how much of a network learns or is there, not what learns. */
const LIMITS: readonly string[] = ['last', 'depth'];

/** Does a backbone tensor of this kind learn? Key biases of softmax attention never do: their gradient is identically zero. */
export const learnsKind = (method: Method, kind: Kind): boolean => method.base === 'full' || (method.bias && kind === 'bias');

/** A method as text, or as it was read: text is read where it comes in, and travels as a value from there. */
export type MethodLike = Method | string;

/**
 * Reads a method such as `bias+prompt:rank=8`; one that has been read is returned as it is. `where` names the flag or file that gave it.
 * Throws InputError for a module or an option that there is not.
 */
export function methodOf(given: MethodLike, where = '--method'): Method {
  return typeof given === 'string' ? readMethod(given, where) : given;
}

function readMethod(text: string, where: string): Method {
  const options = new Map<string, Options>();
  for (const part of text.split('+')) {
    const [name = '', list] = part.split(':', 2) as [string, string?];
    if (options.has(name)) throw new InputError({ where, what: `${name} is there twice`, got: text });
    if (!BASES.includes(name) && !Object.hasOwn(PARTS, name)) throw unknown(where, 'module', name, [...BASES, ...Object.keys(PARTS)]);
    options.set(name, readOptions(name, list, where));
  }
  const base = BASES.find((b) => options.has(b));
  const modules = [...options.keys()].filter((name) => name !== base && !LIMITS.includes(name));
  if (base !== undefined && modules.length > 0)
    throw new InputError({ where, what: `${base} does not combine with ${modules.join(', ')}` });
  if (base === undefined && modules.length === 0)
    throw new InputError({ where, what: 'nothing learns', got: text, expected: 'for example bias+last:blocks=4' });
  const of = <T>(name: string): T | undefined => options.get(name) as T | undefined;
  const method: Method = { name: '', base: (base ?? 'modules') as Method['base'], bias: options.has('bias') };
  for (const name of ['prompt', 'side', 'lora', 'last', 'depth'] as const) {
    const found = of<never>(name);
    if (found !== undefined) method[name] = found;
  }
  if (method.lora?.all && method.lora.targets !== undefined)
    throw new InputError({ where, what: 'lora:all=1 takes every layer, and lora:targets some', got: text, expected: 'one of them' });
  const order = [...BASES, ...Object.keys(PARTS)].filter((name) => options.has(name));
  method.name = order.map((name) => canonical(name, options.get(name)!)).join('+');
  return method;
}

/** Adds the `last` or `depth` part. Throws InputError where the method has another already. */
export function withBlocks(given: MethodLike, limit: 'last' | 'depth', blocks: number): Method {
  const method = methodOf(given);
  const own = method[limit]?.blocks;
  if (own !== undefined && own !== blocks)
    throw new InputError({ where: `--${limit}`, what: 'the method says another number of blocks', got: blocks, expected: String(own) });
  return own === undefined ? methodOf(`${method.name}+${limit}:blocks=${blocks}`) : method;
}

function canonical(name: string, options: Options): string {
  const list = Object.entries(options).map(([key, value]) => `${key}=${value}`);
  return list.length === 0 ? name : `${name}:${list.join(',')}`;
}

function readOptions(part: string, list: string | undefined, where: string): Options {
  const known = PARTS[part] ?? {};
  const lists = LISTS[part] ?? [];
  const values: Options = Object.fromEntries(Object.entries(known).map(([key, [preset]]) => [key, preset]));
  const seen = new Set<string>();
  for (const item of list === undefined ? [] : list.split(',')) {
    const [key = '', text = ''] = item.split('=', 2);
    const range = Object.hasOwn(known, key) ? known[key] : undefined;
    if (range === undefined && !lists.includes(key)) throw unknown(where, `option of ${part}`, key, [...Object.keys(known), ...lists]);
    if (seen.has(key)) throw new InputError({ where, what: `${part}:${key} is there twice`, got: list! });
    seen.add(key);
    if (range === undefined) {
      if (!/^[\w.]+(\/[\w.]+)*$/.test(text))
        throw new InputError({
          where,
          what: `wrong ${part}:${key}`,
          got: text || 'nothing',
          expected: 'names joined by /, as query/value',
        });
      values[key] = text;
      continue;
    }
    const value = Number(text);
    const [, least, most] = range;
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InputError({
        where,
        what: `wrong ${part}:${key}`,
        got: text || 'nothing',
        expected: `a whole number from ${least} to ${most}`,
      });
    values[key] = value;
  }
  return values;
}

function unknown(where: string, what: string, got: string, names: string[]): InputError {
  const near = nearest(got, names)[0];
  const expected = names.length > 0 ? { expected: names.join(', ') } : {};
  return new InputError({
    where,
    what: `unknown ${what}`,
    got: got || 'nothing',
    ...expected,
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  });
}
