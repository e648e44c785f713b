/** In how many bits frozen weights stay in memory. What learns is f32 whatever the precision. */
import { Encoding } from '../assembly/abi/weights.ts';

export type Precision = 'f32' | 'int8' | 'int4';
export const PRECISIONS: readonly Precision[] = ['f32', 'int8', 'int4'];

/** Longer rows stay f32: a row is coded whole, in the scratch that every program with a matrix product has. */
const LONGEST_ROW = 16384;

/**
 * How a frozen weight of `k` numbers an output channel is stored. A depthwise filter has few numbers a channel and each matters: it takes 8
 * bits where the rest takes 4. Layers that read the picture, norms, biases, position tables and tokens are not asked: they stay f32.
 */
export function encodingFor(precision: Precision, layer: 'dense' | 'depthwise', k: number): Encoding {
  if (precision === 'f32' || k > LONGEST_ROW) return Encoding.F32;
  if (layer === 'depthwise') return Encoding.Int8Depthwise;
  return precision === 'int8' ? Encoding.Int8 : Encoding.Int4;
}
