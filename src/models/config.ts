/** Typed reading of a configuration: every key with its default, every wrong type one sentence. */
import { InputError, shownValue } from '../error.ts';
import type { Shape } from '../tensor.ts';

export interface Config {
  where: string;
  values: Record<string, unknown>;
  /** Shapes of the folder's tensors by name, where it has weights. */
  tensors?: ReadonlyMap<string, Shape>;
}

const fault = (c: Config, key: string, expected: string): never => {
  throw new InputError({
    where: c.where,
    what: c.values[key] === undefined ? `key "${key}" is missing` : `key "${key}" has a wrong value`,
    ...(c.values[key] === undefined ? {} : { got: shownValue(c.values[key]) }),
    expected,
  });
};

/** A whole number from 1 to `most`: beyond it no network is meant. Without a default the key must be there. */
export function integer(c: Config, key: string, preset?: number, most = 65536): number {
  const value = c.values[key] ?? preset;
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
    ? (value as number)
    : fault(c, key, `a whole number from 1 to ${most}`);
}

/** Most layers of one network, and most pixels along a side of its pictures. */
export const MOST_LAYERS = 1024;
export const MOST_PIXELS = 4096;

/** A number from `least` to `most`. */
export function real(c: Config, key: string, preset: number, least = 0, most = 1): number {
  const value = c.values[key] ?? preset;
  return typeof value === 'number' && value >= least && value <= most ? value : fault(c, key, `a number from ${least} to ${most}`);
}

export function flag(c: Config, key: string, preset: boolean): boolean {
  const value = c.values[key] ?? preset;
  return typeof value === 'boolean' ? value : fault(c, key, 'true or false');
}

export function text(c: Config, key: string, preset?: string): string {
  const value = c.values[key] ?? preset;
  return typeof value === 'string' ? value : fault(c, key, 'a text');
}

/** A number, or a pair [height, width]. */
export function pair(c: Config, key: string, preset?: number): [number, number] {
  const value = c.values[key] ?? preset;
  const list = Array.isArray(value) ? value : [value, value];
  const ok = list.length === 2 && list.every((n) => Number.isSafeInteger(n) && n > 0 && n <= MOST_PIXELS);
  return ok ? (list as [number, number]) : fault(c, key, `a whole number from 1 to ${MOST_PIXELS}, or a pair of them`);
}

/** A list of whole numbers from 1 to `most`. */
export function integers(c: Config, key: string, preset: readonly number[], most = 65536): readonly number[] {
  const value = c.values[key] ?? preset;
  const ok =
    Array.isArray(value) && value.length > 0 && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && n >= 1 && n <= most);
  return ok ? (value as number[]) : fault(c, key, `a list of whole numbers from 1 to ${most}`);
}

/** Refuses every value but the expected one (or none): settings that make another network. */
export function only(c: Config, key: string, expected: unknown): void {
  const value = c.values[key];
  if (value !== undefined && value !== null && value !== expected)
    throw new InputError({ where: c.where, what: `unsupported ${key}`, got: shownValue(value), expected: shownValue(expected) });
}

/** A nested object; empty where the key is absent. */
export function section(c: Config, key: string): Config {
  const value = c.values[key] ?? {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fault(c, key, 'an object');
  return { where: `${c.where}: ${key}`, values: value as Record<string, unknown> };
}
