/** The watch over a run (assembly/runner/watch.ts): what it may be told. */
import { MOST_BACKS } from '../../assembly/abi/watch.ts';
import { InputError } from '../base/error.ts';

/** Refuses numbers that neither loop can count with. */
export function checkWatch({ retries, patience }: { retries: number; patience: number }): void {
  const check = (where: string, got: number, most: number): void => {
    if (Number.isInteger(got) && got >= 0 && got <= most) return;
    throw new InputError({ where, what: 'wrong value', got, expected: `a whole number from 0 to ${most}` });
  };
  check('--retries', retries, MOST_BACKS);
  check('--patience', patience, 0x7fffffff);
}
