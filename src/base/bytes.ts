/** Sizes as people write them: on the command line, and in the library's options. */
import { InputError } from './error.ts';

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 };

/** `18.4 MiB` whatever the size. */
export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** As `mebibytes`, rounded up: a budget of what is written is enough. */
export const mebibytesUp = (bytes: number): string => mebibytes(Math.ceil((bytes / 2 ** 20) * 10) * (2 ** 20 / 10));

/** A number of bytes, or a text such as `48MiB`, `512KiB`, `1.5GiB`, `64MB` (a million bytes each), `31457280`. */
export type Bytes = number | string;

/** Whole bytes, at least 1. `where` names the option in the error. */
export function parseBytes(value: Bytes, where: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(String(value).trim());
  const unit = match?.[2] === '' ? 1 : Object.hasOwn(UNITS, match?.[2] ?? '') ? UNITS[match![2]!]! : Number.NaN;
  const bytes = Math.floor(Number(match?.[1]) * unit);
  if (!(bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER))
    throw new InputError({ where, what: 'not a size', got: String(value), expected: 'for example 48MiB' });
  return bytes;
}
