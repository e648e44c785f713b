/** What networks in stages have in common: lists with a number for each stage, and sizes that have to divide. */
import { InputError } from '../base/error.ts';
import { type Config, integers, MOST_LAYERS } from '../formats/config.ts';

/** Widest window: its scores are a matrix of window⁴ numbers. */
export const MOST_WINDOW = 64;

/** Depths of the stages of a network that names its heads by stage too. */
export function stagesOf(c: Config, depths: readonly number[], heads: readonly number[]): readonly number[] {
  const blocks = depths.reduce((n, depth) => n + depth, 0);
  if (depths.length === heads.length && depths.length <= 8 && blocks <= MOST_LAYERS) return depths;
  throw new InputError({
    where: c.where,
    what: 'depths and num_heads do not fit each other',
    got: `[${depths}] and [${heads}]`,
    expected: `lists of one length, at most 8 stages and ${MOST_LAYERS} blocks`,
  });
}

/** Whole numbers, one for each of so many stages; libraries read no more of a longer list either. */
export function perStage(
  c: Config,
  key: string,
  preset: readonly number[],
  stages: number,
  most?: number,
  least?: number,
): readonly number[] {
  const list = integers(c, key, preset, most, least);
  if (list.length >= stages) return list;
  throw new InputError({
    where: c.where,
    what: `key "${key}" is too short`,
    got: `[${list}]`,
    expected: `one for each of ${stages} stages`,
  });
}

/** Throws InputError, whose sentence is `what`, where channels do not divide into so many parts. */
export function needDivides(where: string, what: string, channels: number, parts: number): void {
  if (channels % parts !== 0) throw new InputError({ where, what, got: `${channels} / ${parts}`, expected: 'a whole number' });
}
