/** Fields of a preprocessing, each checked: a wrong one is named with what it should be. */
import { InputError, shownValue } from '../base/error.ts';

export interface Size {
  height: number;
  width: number;
}

/** Of pictures that a network sees: one number for a square, or height and width. */
export type ImageSize = number | readonly [height: number, width: number];

const fault = (where: string, key: string, value: unknown, expected: string): never => {
  throw new InputError({ where, what: `wrong ${key}`, got: shownValue(value), expected });
};

export const pixels = (where: string, key: string, value: unknown): number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 4096
    ? value
    : fault(where, key, value, 'a whole number from 1 to 4096');

/** `{"height": …, "width": …}`, a list of the two, or one number for both. */
export function sizeOf(where: string, key: string, value: unknown): Size {
  if (typeof value === 'number') return { height: pixels(where, key, value), width: pixels(where, key, value) };
  if (typeof value !== 'object' || value === null) return fault(where, key, value, 'a whole number from 1 to 4096, or height and width');
  const { height, width } = (Array.isArray(value) ? { height: value[0], width: value[1] } : value) as Record<string, unknown>;
  return { height: pixels(where, `${key}.height`, height), width: pixels(where, `${key}.width`, width) };
}

export const finite = (where: string, key: string, value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : fault(where, key, value, 'a number');

const COUNTS: Readonly<Record<number, string>> = { 1: 'one number', 3: 'three numbers', 4: 'four numbers' };

/** A number for each channel; one alone stands for all. */
export function perChannel(where: string, key: string, value: unknown, channels: number): number[] {
  if (typeof value === 'number') return Array<number>(channels).fill(finite(where, key, value));
  if (!Array.isArray(value) || value.length !== channels) return fault(where, key, value, COUNTS[channels] ?? `${channels} numbers`);
  return value.map((v) => finite(where, key, v));
}

export function divisors(where: string, key: string, value: unknown, channels: number): number[] {
  const list = perChannel(where, key, value, channels);
  return list.every((v) => v > 0) ? list : fault(where, key, value, 'numbers above 0');
}

/** What a crop keeps of the resized picture. */
export function shareOf(where: string, key: string, value: unknown): number {
  const share = finite(where, key, value);
  return share > 0 && share <= 1 ? share : fault(where, key, share, 'above 0, at most 1');
}

/** An image size that was asked for. */
export function imageSizeOf(value: ImageSize, where: string): Size {
  const [height, width] = typeof value === 'number' ? [value, value] : value;
  const ok = [height, width].every((n) => Number.isInteger(n) && n >= 1 && n <= 4096);
  if (ok && (typeof value === 'number' || value.length === 2)) return { height, width };
  throw new InputError({
    where,
    what: 'wrong value',
    got: shownValue(value),
    expected: 'a whole number from 1 to 4096, or two of them: height and width',
  });
}
