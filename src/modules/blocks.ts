/** The blocks of a network, as modules need to know them. */
import { InputError } from '../error.ts';
import type { Method } from './method.ts';

export interface Blocks {
  count: number;
  /** Rows of a token sequence that are not patches (class and distillation tokens); 0 for images [B,H,W,C]. */
  extraTokens: number;
  /** Height and width of the patch grid of a token sequence; undefined for images. */
  grid?: readonly [number, number];
}

/** How many of a network's `count` blocks are built. Throws InputError where a method wants more. */
export function depthOf({ depth }: Method, count: number): number {
  if (depth === undefined) return count;
  if (depth.blocks > count)
    throw new InputError({
      where: '--depth',
      what: 'the network has fewer blocks',
      got: depth.blocks,
      expected: `a whole number from 1 to ${count}`,
    });
  return depth.blocks;
}
