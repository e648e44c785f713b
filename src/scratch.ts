/** Bytes of scratch, per thread, that a kernel needs: the formulas stated in the kernels' own head comments. */
import { Keep } from '../assembly/abi/ops.ts';
import { Gemm, Patch } from '../assembly/abi/tiles.ts';
import { tileRows } from './groups.ts';

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** LayerNormBackward and LayerNormBackwardW: one decoded row, one row of sums. */
export const layerNormScratch = (c: number): number => 2 * align(4 * c, 128);

/** Linear, LinearBackwardX, LinearBackwardW and every gemm* call. */
export const gemmScratch = (): number => Gemm.ScratchBytes;

/** Conv and ConvBackwardW: a tile of patches of so many pixels behind the GEMM's scratch. `geometry` as in the instruction, from BATCH to LEFT. */
export function convScratch(geometry: readonly number[], pixels: number = Patch.Rows): number {
  if (isPointwise(geometry)) return gemmScratch();
  const [batch, , , c, oh, ow, , r, s] = geometry as Geometry;
  return gemmScratch() + 4 * Math.min(pixels, batch * oh * ow) * Math.min(Patch.Columns, r * s * c);
}

/** ConvBackwardX: a tile of dy and, with a stride, one of dx. */
export function convBackwardXScratch(geometry: readonly number[], pixels: number = Patch.Rows): number {
  if (isPointwise(geometry)) return gemmScratch();
  const [, , , c, , , o, , , stride] = geometry as Geometry;
  const strided = Math.max(1, Math.min(Patch.StridedRows, pixels, Math.floor((Patch.StridedFloats * pixels) / c)));
  const rows = stride === 1 ? pixels : strided;
  return gemmScratch() + 4 * rows * Math.min(Patch.Columns, o) + (stride === 1 ? 0 : 4 * rows * c);
}

type Twelve<T> = [T, T, T, T, T, T, T, T, T, T, T, T];
/** BATCH H WIDTH C OH OW O R S STRIDE TOP LEFT. */
type Geometry = Twelve<number>;

/** A 1×1 convolution that skips and pads nothing is one matrix product, without patches; the kernel asks the same. */
function isPointwise(geometry: readonly number[]): boolean {
  const [, h, width, , oh, ow, , r, s, stride, top, left] = geometry as Geometry;
  return r === 1 && s === 1 && stride === 1 && top === 0 && left === 0 && oh === h && ow === width;
}

/** One tile of attention scores: whole rows, at most `queries`. */
const scoreBytes = (t: number, queries: number | undefined): number => tileRows(t, queries) * align(4 * t, 16);

/** The codes of one tile of probabilities, a byte each, and room for two vectors after them. */
const codeBytes = (t: number, queries: number | undefined): number => align(tileRows(t, queries) * t + 32, 16);

/** A whole [T,T] matrix of scores: the relative position bias of one head, or its gradient. */
const matrixBytes = (t: number): number => t * align(4 * t, 16);

interface AttentionScratch {
  /** There is a relative position bias. */
  isBiased?: boolean;
  /** It learns. */
  biasLearns?: boolean;
  /** The probabilities are kept. */
  isKept?: boolean;
  /** Most rows of a tile; 64 where absent. */
  queries?: number | undefined;
}

/** Attention: GEMM's scratch and a tile of scores; the head's position bias; the tile's codes. */
export const attentionScratch = (t: number, { isBiased = false, isKept = false, queries }: AttentionScratch = {}): number =>
  gemmScratch() + scoreBytes(t, queries) + (isBiased ? matrixBytes(t) : 0) + (isKept ? codeBytes(t, queries) : 0);

/** AttentionBackward: also the tile's gradients, the position bias's and, from coded copies, one head's q, k and v. */
export function attentionBackwardScratch(t: number, headSize: number, keep: Keep, more: AttentionScratch = {}): number {
  const row = keep === Keep.Group8 ? align(4 * headSize, 16) : keep === Keep.Signed4 ? 4 * align(headSize, 32) : 0;
  return attentionScratch(t, more) + scoreBytes(t, more.queries) + (more.biasLearns ? matrixBytes(t) : 0) + 3 * t * row;
}

/** Group norm's kernels: three numbers a channel, one decoded row. */
export const groupNormScratch = (c: number): number => 4 * align(4 * c, 128);

/** GateBackwardG: one decoded group. */
export const gateScratch = (): number => 256;

/** Dequantize from 4 bits: one decoded row, in whole blocks. */
export const dequantizeScratch = (c: number): number => align(4 * c, 128);

/** ResizePositions: the weights of one row and one column of the old grid, f64. */
export const resizePositionsScratch = (h0: number, w0: number): number => align(8 * (h0 + w0), 128);
