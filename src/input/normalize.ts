/** How arrays are normalised, as people say it: measured on what is learnt from, as the model folder says, or by numbers that are given. */
import { InputError, shownValue } from '../base/error.ts';
import { isRecord } from '../base/json.ts';

/** `measured` where nothing is said. A mean and a std for each channel, or one for all. */
export type Normalize = 'measured' | 'model' | { mean: number | readonly number[]; std: number | readonly number[] };

const EXPECTED = 'measured, model or MEAN/STD such as 0.5/0.25 or 1,2,3/4,5,6';
const isNumbers = (value: unknown, above = Number.NEGATIVE_INFINITY): boolean =>
  (Array.isArray(value) ? value : [value]).every((v) => typeof v === 'number' && Number.isFinite(v) && v > above) &&
  !(Array.isArray(value) && value.length === 0);

/** Refuses any other value. */
export function checkNormalize(value: unknown, where: string): void {
  if (value === 'measured' || value === 'model') return;
  const isGiven = isRecord(value) && Object.keys(value).every((key) => key === 'mean' || key === 'std');
  if (isGiven && isNumbers(value.mean) && isNumbers(value.std, 0)) return;
  throw new InputError(
    { where, what: 'wrong value', got: shownValue(value), expected: "'measured', 'model' or { mean, std }, deviations above 0" },
    'S2A_OPTION',
  );
}

/** The same of a command line's word. */
export function readNormalize(text: string, where: string): Normalize {
  if (text === 'measured' || text === 'model') return text;
  const [mean, std, more] = text.split('/').map((list) => list.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word))));
  if (mean === undefined || std === undefined || more !== undefined || !isNumbers(mean) || !isNumbers(std, 0))
    throw new InputError({ where, what: 'wrong value', got: text, expected: EXPECTED }, 'S2A_OPTION');
  return { mean, std };
}
