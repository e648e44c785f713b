/**
 * Bytes of scratch, per thread, that a kernel needs: the formulas stated in the kernels' own head comments. The WASI program compiles this file
 * too (src/groups.ts says how that is).
 */
import { Keep } from '../assembly/abi/ops.ts';
import { Gemm, Patch, Scores } from '../assembly/abi/tiles.ts';
import { align, tileRows } from './groups.ts';

/** LayerNormBackward and LayerNormBackwardW: one decoded row, one row of sums. */
export function layerNormScratch(c: number): number {
  return 2 * align(4 * c, 128);
}

/** Linear, LinearBackwardX, LinearBackwardW and every gemm* call. */
export function gemmScratch(): number {
  return Gemm.ScratchBytes;
}

/**
 * A 1×1 convolution that skips and pads nothing is one matrix product, without patches; the kernel asks the same. Here and below: the shape as
 * in the instruction, from BATCH to LEFT.
 */
// biome-ignore format: as in the instruction
function isPointwise(
  h: number, width: number, oh: number, ow: number, r: number, s: number, stride: number, top: number, left: number,
): boolean {
  return r === 1 && s === 1 && stride === 1 && top === 0 && left === 0 && oh === h && ow === width;
}

/** Conv and ConvBackwardW: a tile of patches of so many pixels behind the GEMM's scratch. */
// biome-ignore format: as in the instruction
export function convScratch(
  batch: number, h: number, width: number, c: number, oh: number, ow: number, _o: number, r: number, s: number, stride: number,
  top: number, left: number, pixels: number = Patch.Rows,
): number {
  if (isPointwise(h, width, oh, ow, r, s, stride, top, left)) return gemmScratch();
  return gemmScratch() + 4 * Math.min(pixels, batch * oh * ow) * Math.min(Patch.Columns, r * s * c);
}

/** ConvBackwardX: a tile of dy and, with a stride, one of dx. */
// biome-ignore format: as in the instruction
export function convBackwardXScratch(
  _batch: number, h: number, width: number, c: number, oh: number, ow: number, o: number, r: number, s: number, stride: number,
  top: number, left: number, pixels: number = Patch.Rows,
): number {
  if (isPointwise(h, width, oh, ow, r, s, stride, top, left)) return gemmScratch();
  const strided = Math.max(1, Math.min(Math.min(Patch.StridedRows, pixels), Math.floor((Patch.StridedFloats * pixels) / c)));
  const rows = stride === 1 ? pixels : strided;
  return gemmScratch() + 4 * rows * Math.min(Patch.Columns, o) + (stride === 1 ? 0 : 4 * rows * c);
}

/** One tile of attention scores: whole rows, at most `queries`. */
function scoreBytes(t: number, queries: number): number {
  return tileRows(t, queries) * align(4 * t, 16);
}

/** The codes of one tile of probabilities, a byte each, and room for two vectors after them. */
function codeBytes(t: number, queries: number): number {
  return align(tileRows(t, queries) * t + 32, 16);
}

/** A whole [T,T] matrix of scores: the relative position bias of one head, or its gradient. */
function matrixBytes(t: number): number {
  return t * align(4 * t, 16);
}

/**
 * Attention: GEMM's scratch and a tile of scores of at most `queries` rows; the head's position bias, where there is one; the tile's codes, where
 * the probabilities are kept.
 */
export function attentionScratch(t: number, queries: number = Scores.Rows, isBiased: boolean = false, isKept: boolean = false): number {
  return gemmScratch() + scoreBytes(t, queries) + (isBiased ? matrixBytes(t) : 0) + (isKept ? codeBytes(t, queries) : 0);
}

/** AttentionBackward: also the tile's gradients, the position bias's where it learns and, from coded copies, one head's q, k and v. */
export function attentionBackwardScratch(
  t: number,
  headSize: number,
  keep: number,
  queries: number = Scores.Rows,
  isBiased: boolean = false,
  isKept: boolean = false,
  biasLearns: boolean = false,
): number {
  const row = keep === Keep.Group8 ? align(4 * headSize, 16) : keep === Keep.Signed4 ? 4 * align(headSize, 32) : 0;
  const more = scoreBytes(t, queries) + (biasLearns ? matrixBytes(t) : 0) + 3 * t * row;
  return attentionScratch(t, queries, isBiased, isKept) + more;
}

/** Group norm's kernels: three numbers a channel, one decoded row. */
export function groupNormScratch(c: number): number {
  return 4 * align(4 * c, 128);
}

/** GateBackwardG: one decoded group. */
export function gateScratch(): number {
  return 256;
}

/** ResizePositions: the weights of one row and one column of the old grid, f64. */
export function resizePositionsScratch(h0: number, w0: number): number {
  return align(8 * (h0 + w0), 128);
}
