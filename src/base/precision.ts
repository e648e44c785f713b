/** In how many bits frozen weights stay in memory. What learns is f32 whatever the precision. */
import { Encoding } from '../../assembly/abi/weights.ts';

/** Bits of frozen weights: 32, 8 with a scale for each channel, or 4 with one for each group (about 4.5). */
export type Precision = 'f32' | 'int8' | 'int4';
export const PRECISIONS: readonly Precision[] = ['f32', 'int8', 'int4'];

/** What is asked of frozen weights: a precision, or `auto`, the highest that the budget allows; with `stream` they stay in a file and pass through memory. */
export type WeightsWish<P extends string = Precision | 'auto'> = P | `${P},stream` | 'stream';

/** Every way to write a wish for one of these precisions. */
export const wishesFor = <P extends string>(precisions: readonly P[]): readonly WeightsWish<P>[] => [
  ...precisions,
  ...precisions.map((p) => `${p},stream` as const),
  'stream',
];

/** A wish taken apart; `otherwise` is the precision of one that says none. */
export function wishOf<P extends Precision | 'auto'>(wish: WeightsWish<P> | undefined, otherwise: P): { weights: P; streams: boolean } {
  if (wish === undefined) return { weights: otherwise, streams: false };
  if (wish === 'stream') return { weights: otherwise, streams: true };
  const [weights, stream] = wish.split(',') as [P, string?];
  return { weights, streams: stream !== undefined };
}

/** Longer rows stay f32: a row is coded whole, in the scratch that every program with a matrix product has. */
const LONGEST_ROW = 16384;

/** Convolutions of fewer numbers take the next encoding: four bits more a number cost less than 256 KiB. */
const SMALL_CONVOLUTION = 2 ** 19;

/**
 * How a frozen weight [o,k] is stored. Convolutional networks take rounding worse than transformers (docs/results/weights.md), the more so
 * those whose layers are small: a convolution that is takes 12 bits where others take 8, and 8 where others take 4. Depthwise filters,
 * layers that read the picture, norms, biases, position tables and tokens are not asked: they stay f32.
 * `isLossy`: what 8 bits are multiplied with is rounded to 7.
 */
export function encodingFor(precision: Precision, layer: 'linear' | 'convolution', o: number, k: number, isLossy = false): Encoding {
  if (precision === 'f32' || k > LONGEST_ROW) return Encoding.F32;
  const isSmall = layer === 'convolution' && o * k < SMALL_CONVOLUTION;
  if (precision === 'int8') return isSmall ? Encoding.Int12 : isLossy ? Encoding.Int8By7 : Encoding.Int8;
  return isSmall ? Encoding.Int8 : Encoding.Int4;
}
