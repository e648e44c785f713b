/** The blocks of a network, as modules need to know them. */
import { InputError } from '../base/error.ts';
import type { Method } from './method.ts';

export interface Blocks {
  count: number;
  /** Rows of a token sequence that are not patches (class and distillation tokens); 0 for images [B,H,W,C]. */
  extraTokens: number;
  /** Height and width of the patch grid of a token sequence; undefined for images. */
  grid?: readonly [number, number];
}

/**
 * How many of a network's `count` blocks are built. `most`: the largest depth that ends it early, one less unless layers follow the blocks.
 * Throws InputError beyond that, so that a method with a depth never is the whole network.
 */
export function depthOf({ depth }: Method, count: number, most = count - 1): number {
  if (depth === undefined) return count;
  if (depth.blocks > most)
    throw new InputError({
      where: '--depth',
      what: `does not end a network of ${count} ${count === 1 ? 'block' : 'blocks'} early`,
      got: depth.blocks,
      expected: most > 0 ? `a whole number from 1 to ${most}` : 'none',
    });
  return depth.blocks;
}
