/**
 * Typed reading of a configuration: every key with its default, every wrong type one sentence. What a reader asks for it understands; a key
 * that nobody asked for, and that no list in harmless.ts has, is refused at the end (`refuseUnread`): it may mean another network.
 */
import { InputError, shown, shownValue } from '../base/error.ts';
import { isRecord } from '../base/json.ts';
import type { Shape } from '../base/tensor.ts';

/** A configuration as it was parsed. */
export interface ConfigSource {
  where: string;
  values: Record<string, unknown>;
  /** Shapes of the folder's tensors by name, where it has weights. */
  tensors?: ReadonlyMap<string, Shape>;
}

export interface Config {
  readonly where: string;
  /** Shapes of the folder's tensors by name, where it has weights. */
  readonly tensors: ReadonlyMap<string, Shape> | undefined;
  /** A key's value. Whoever asks for a key says that it is understood. */
  get(key: string): unknown;
  /** A nested object, which remembers in the same way; empty where the key is absent. */
  section(key: string): Config;
  has(key: string): boolean;
  /** Nested objects that were opened. */
  sections(): Iterable<Config>;
  /** Keys with a value that nobody has asked for. */
  unread(): string[];
}

export function openConfig({ where, values, tensors }: ConfigSource): Config {
  const asked = new Set<string>();
  const sections = new Map<string, Config>();
  const config: Config = {
    where,
    tensors,
    get(key) {
      asked.add(key);
      return values[key];
    },
    section(key) {
      const value = config.get(key) ?? {};
      if (!isRecord(value)) return fault(config, key, 'an object');
      const known = sections.get(key) ?? openConfig({ where: `${where}: ${key}`, values: value, ...(tensors ? { tensors } : {}) });
      sections.set(key, known);
      return known;
    },
    sections: () => sections.values(),
    has: (key) => values[key] !== undefined,
    // null is how both libraries write that a setting was not made.
    unread: () => Object.keys(values).filter((key) => !asked.has(key) && values[key] !== null && values[key] !== undefined),
  };
  return config;
}

/** Refuses the first key that no reader asked for, here and in the sections that one did. */
export function refuseUnread(c: Config, consequence = 'it may make this another network'): void {
  for (const part of c.sections()) refuseUnread(part, consequence);
  const [first, ...more] = c.unread();
  if (first === undefined) return;
  throw new InputError({
    where: c.where,
    what: `key "${shown(first)}" is not understood`,
    got: shownValue(c.get(first)),
    hint: `${consequence}${also(more)}; take it out if you know that it does not`,
  });
}

const fault = (c: Config, key: string, expected: string): never => {
  throw new InputError({
    where: c.where,
    what: c.get(key) === undefined ? `key "${key}" is missing` : `key "${key}" has a wrong value`,
    ...(c.get(key) === undefined ? {} : { got: shownValue(c.get(key)) }),
    expected,
  });
};

const also = (keys: readonly string[]): string =>
  keys.length === 0 ? '' : `, as may ${keys.slice(0, 3).map(shown).join(', ')}${keys.length > 3 ? ` and ${keys.length - 3} more` : ''}`;

/** A whole number from 1 to `most`: beyond it no network is meant. Without a default the key must be there. */
export function integer(c: Config, key: string, preset?: number, most = 65536): number {
  const value = c.get(key) ?? preset;
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
    ? (value as number)
    : fault(c, key, `a whole number from 1 to ${most}`);
}

/** Most layers of one network, and most pixels along a side of its pictures. */
export const MOST_LAYERS = 1024;
export const MOST_PIXELS = 4096;

/** A number from `least` to `most`. */
export function real(c: Config, key: string, preset: number, least = 0, most = 1): number {
  const value = c.get(key) ?? preset;
  return typeof value === 'number' && value >= least && value <= most ? value : fault(c, key, `a number from ${least} to ${most}`);
}

export function flag(c: Config, key: string, preset: boolean): boolean {
  const value = c.get(key) ?? preset;
  return typeof value === 'boolean' ? value : fault(c, key, 'true or false');
}

export function text(c: Config, key: string, preset?: string): string {
  const value = c.get(key) ?? preset;
  return typeof value === 'string' ? value : fault(c, key, 'a text');
}

/** A number, or a pair [height, width]. */
export function pair(c: Config, key: string, preset?: number | readonly [number, number]): [number, number] {
  const value = c.get(key) ?? preset;
  const list = Array.isArray(value) ? value : [value, value];
  const ok = list.length === 2 && list.every((n) => Number.isSafeInteger(n) && n > 0 && n <= MOST_PIXELS);
  return ok ? (list as [number, number]) : fault(c, key, `a whole number from 1 to ${MOST_PIXELS}, or a pair of them`);
}

/** A list of whole numbers from 1 to `most`. */
export function integers(c: Config, key: string, preset: readonly number[], most = 65536, least = 1): readonly number[] {
  const value = c.get(key) ?? preset;
  const isEntry = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= least && (n as number) <= most;
  const ok = Array.isArray(value) && value.length > 0 && value.length <= 64 && value.every(isEntry);
  return ok ? (value as number[]) : fault(c, key, `a list of whole numbers from ${least} to ${most}`);
}

/** Refuses every value but those expected (or none): settings that make another network. The first stands in the sentence. */
export function only(c: Config, key: string, ...expected: unknown[]): void {
  const value = c.get(key);
  if (value !== undefined && value !== null && !expected.includes(value))
    throw new InputError({ where: c.where, what: `unsupported ${key}`, got: shownValue(value), expected: shownValue(expected[0]) });
}

/** Refuses a setting that is there at all: no value of it is known here but none. */
export function absent(c: Config, ...keys: string[]): void {
  for (const key of keys) {
    const value = c.get(key);
    const isEmpty = value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
    if (!isEmpty) throw new InputError({ where: c.where, what: `unsupported ${key}`, got: shownValue(value), expected: 'none' });
  }
}

/** A nested object; empty where the key is absent. */
export const section = (c: Config, key: string): Config => c.section(key);
