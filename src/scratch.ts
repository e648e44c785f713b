/** Bytes of scratch, per thread, that a kernel needs: the formulas stated in the kernels' own head comments. */
import { Keep } from '../assembly/abi/ops.ts';

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** LayerNormBackward and LayerNormBackwardW: one decoded row, one row of sums. */
export const layerNormScratch = (c: number): number => 2 * align(4 * c, 128);

export const gemmScratch = (): number => 131072;
export const convScratch = (_x: readonly number[], _w: readonly number[]): number => 131072 + 262144;

/** One tile of attention scores: at most 64 whole rows. */
function scoreBytes(t: number): number {
  const tiles = Math.ceil(t / 64);
  return align(Math.ceil(t / tiles), 4) * align(4 * t, 16);
}

/** Attention: GEMM's scratch and a tile of scores. */
export const attentionScratch = (t: number): number => gemmScratch() + scoreBytes(t);

/** AttentionBackward: also the tile's gradients and, from int8 copies, one head's q, k and v. */
export function attentionBackwardScratch(t: number, headSize: number, keep: Keep): number {
  return gemmScratch() + 2 * scoreBytes(t) + (keep === Keep.Group8 ? 3 * t * align(4 * headSize, 16) : 0);
}
