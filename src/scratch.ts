/** Bytes of scratch, per thread, that a kernel needs: the formulas stated in the kernels' own head comments. */

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** LayerNormBackward and LayerNormBackwardW: one decoded row, one row of sums. */
export const layerNormScratch = (c: number): number => 2 * align(4 * c, 128);

export const gemmScratch = (): number => 131072;
export const convScratch = (_x: readonly number[], _w: readonly number[]): number => 131072 + 262144;
export const attentionScratch = (t: number, d: number): number => 131072 + 3 * t * d * 4 + 2 * 64 * (t + 15) * 4;
