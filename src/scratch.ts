/** Bytes of scratch, per thread, that a kernel needs: the formulas stated in the kernels' own head comments. */

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** LayerNormBackward and LayerNormBackwardW: one decoded row, one row of sums. */
export const layerNormScratch = (c: number): number => 2 * align(4 * c, 128);
