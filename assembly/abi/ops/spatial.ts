/** Convolutions and pools of maps. */
import { code4RowsBytes } from '../sizes.ts';
import { Patch } from '../tiles.ts';
import {
  between,
  demand,
  mayRead,
  mayWrite,
  MOST_PRODUCT,
  MOST_STEP,
  MOST_TILE,
  reads,
  size,
  takesScratch,
  weightBytes,
  writes,
} from '../bounds.ts';
import { gemmScratch } from './dense.ts';

/**
 * A 1×1 convolution that skips and pads nothing is one matrix product, without patches; the kernel asks the same. Here and below: the shape as
 * in the instruction, from BATCH to LEFT.
 */
function isPointwise(
  h: number,
  width: number,
  oh: number,
  ow: number,
  r: number,
  s: number,
  stride: number,
  top: number,
  left: number,
): boolean {
  return r === 1 && s === 1 && stride === 1 && top === 0 && left === 0 && oh === h && ow === width;
}

/** Conv and ConvBackwardW: a tile of patches of so many pixels behind the GEMM's scratch. */
export function convScratch(
  batch: number,
  h: number,
  width: number,
  c: number,
  oh: number,
  ow: number,
  _o: number,
  r: number,
  s: number,
  stride: number,
  top: number,
  left: number,
  pixels: number = Patch.Rows,
): number {
  if (isPointwise(h, width, oh, ow, r, s, stride, top, left)) return gemmScratch();
  return gemmScratch() + 4 * Math.min(pixels, batch * oh * ow) * Math.min(Patch.Columns, r * s * c);
}

/** ConvBackwardX: a tile of dy and, with a stride, one of dx. */
export function convBackwardXScratch(
  _batch: number,
  h: number,
  width: number,
  c: number,
  oh: number,
  ow: number,
  o: number,
  r: number,
  s: number,
  stride: number,
  top: number,
  left: number,
  pixels: number = Patch.Rows,
): number {
  if (isPointwise(h, width, oh, ow, r, s, stride, top, left)) return gemmScratch();
  const strided = Math.max(1, Math.min(Math.min(Patch.StridedRows, pixels), Math.floor((Patch.StridedFloats * pixels) / c)));
  const rows = stride === 1 ? pixels : strided;
  return gemmScratch() + 4 * rows * Math.min(Patch.Columns, o) + (stride === 1 ? 0 : 4 * rows * c);
}

const MOST_TAPS = 16;

/** Windows of the instruction in question: BATCH … LEFT, O among them where filters mix channels. */
let batch: number = 0;
let height: number = 0;
let width: number = 0;
let channels: number = 0;
let outHeight: number = 0;
let outWidth: number = 0;
let outChannels: number = 0;
let R: number = 0;
let S: number = 0;
let stride: number = 0;
let top: number = 0;
let left: number = 0;

function window(at: i32, mixes: boolean): void {
  batch = size(at);
  height = size(at + 1);
  width = size(at + 2);
  channels = size(at + 3);
  outHeight = size(at + 4);
  outWidth = size(at + 5);
  outChannels = mixes ? size(at + 6) : channels;
  const next = mixes ? at + 7 : at + 6;
  R = size(next);
  S = size(next + 1);
  demand(R * S * channels <= MOST_PRODUCT);
  stride = between(next + 2, 1, MOST_STEP);
  // Every window begins before the picture ends, and no tap lies wholly in the padding before it.
  top = between(next + 3, 0, R - 1);
  demand((outHeight - 1) * stride < height + top);
  left = between(next + 4, 0, S - 1);
  demand((outWidth - 1) * stride < width + left);
}
function imageBytes(): number {
  return 4 * batch * height * width * channels;
}
function outputBytes(): number {
  return 4 * batch * outHeight * outWidth * outChannels;
}
function patchScratch(pixels: number): number {
  return convScratch(batch, height, width, channels, outHeight, outWidth, outChannels, R, S, stride, top, left, pixels);
}

/**
 * Conv: x[B,H,W,C] (NHWC), w[O,R,S,C], b[O] or 0, y[B,OH,OW,O]. TOP and LEFT are the zero padding before the first row and column;
 * padding after the last is whatever OH and OW imply. One STRIDE for both axes. PIXELS: most of them in a tile (abi/tiles.ts).
 */
export const enum ConvArg {
  X,
  W,
  B,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  O,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
  ENCODING,
  PIXELS,
}
export function conv(): void {
  window(ConvArg.BATCH, true);
  const pixels = between(ConvArg.PIXELS, 1, MOST_TILE);
  reads(ConvArg.X, imageBytes());
  reads(ConvArg.W, weightBytes(ConvArg.ENCODING, outChannels, R * S * channels));
  mayRead(ConvArg.B, 4 * outChannels);
  writes(ConvArg.Y, outputBytes());
  takesScratch(patchScratch(pixels));
}

/** ConvBackwardX: dx[B,H,W,C] = convᵀ(dy[B,OH,OW,O], w). */
export const enum ConvBackwardXArg {
  DY,
  W,
  DX,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  O,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
  ENCODING,
  PIXELS,
}
export function convBackwardX(): void {
  window(ConvBackwardXArg.BATCH, true);
  const pixels = between(ConvBackwardXArg.PIXELS, 1, MOST_TILE);
  reads(ConvBackwardXArg.DY, outputBytes());
  reads(ConvBackwardXArg.W, weightBytes(ConvBackwardXArg.ENCODING, outChannels, R * S * channels));
  writes(ConvBackwardXArg.DX, imageBytes());
  takesScratch(convBackwardXScratch(batch, height, width, channels, outHeight, outWidth, outChannels, R, S, stride, top, left, pixels));
}

/** ConvBackwardW: dw[O,R,S,C] += Σ dy · patches(x). */
export const enum ConvBackwardWArg {
  DY,
  X,
  DW,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  O,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
  PIXELS,
}
export function convBackwardW(): void {
  window(ConvBackwardWArg.BATCH, true);
  const pixels = between(ConvBackwardWArg.PIXELS, 1, MOST_TILE);
  reads(ConvBackwardWArg.DY, outputBytes());
  reads(ConvBackwardWArg.X, imageBytes());
  writes(ConvBackwardWArg.DW, 4 * outChannels * R * S * channels);
  takesScratch(patchScratch(pixels));
}

/** Depthwise: w[R,S,C], one filter a channel; otherwise as Conv with O = C. */
export const enum DepthwiseArg {
  X,
  W,
  B,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
}
export function depthwise(): void {
  window(DepthwiseArg.BATCH, false);
  reads(DepthwiseArg.X, imageBytes());
  reads(DepthwiseArg.W, 4 * R * S * channels);
  mayRead(DepthwiseArg.B, 4 * channels);
  writes(DepthwiseArg.Y, outputBytes());
}

export const enum DepthwiseBackwardXArg {
  DY,
  W,
  DX,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
}
export function depthwiseBackwardX(): void {
  window(DepthwiseBackwardXArg.BATCH, false);
  reads(DepthwiseBackwardXArg.DY, outputBytes());
  reads(DepthwiseBackwardXArg.W, 4 * R * S * channels);
  writes(DepthwiseBackwardXArg.DX, imageBytes());
}

/** DepthwiseBackwardW: dw[R,S,C] += Σ dy · x. */
export const enum DepthwiseBackwardWArg {
  DY,
  X,
  DW,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
}
export function depthwiseBackwardW(): void {
  window(DepthwiseBackwardWArg.BATCH, false);
  reads(DepthwiseBackwardWArg.DY, outputBytes());
  reads(DepthwiseBackwardWArg.X, imageBytes());
  writes(DepthwiseBackwardWArg.DW, 4 * R * S * channels);
}

/** Pool: y[B,C] = mean over positions FIRST … FIRST+COUNT-1 of x[B,P,C]. COUNT = 1 takes one token, unchanged. */
export const enum PoolArg {
  X,
  Y,
  BATCH,
  P,
  C,
  FIRST,
  COUNT,
}
export function pool(): void {
  const b = size(PoolArg.BATCH);
  const c = size(PoolArg.C);
  const p = size(PoolArg.P);
  demand(between(PoolArg.FIRST, 0, p) + size(PoolArg.COUNT) <= p);
  reads(PoolArg.X, 4 * b * p * c);
  writes(PoolArg.Y, 4 * b * c);
}

/** PoolBackward: dx[B,P,C] = dy[B,C]/COUNT in the pooled positions, + acc[B,P,C]; 0 elsewhere. ACC may be 0 or equal DX. */
export const enum PoolBackwardArg {
  DY,
  ACC,
  DX,
  BATCH,
  P,
  C,
  FIRST,
  COUNT,
}
export function poolBackward(): void {
  const b = size(PoolBackwardArg.BATCH);
  const c = size(PoolBackwardArg.C);
  const p = size(PoolBackwardArg.P);
  demand(between(PoolBackwardArg.FIRST, 0, p) + size(PoolBackwardArg.COUNT) <= p);
  reads(PoolBackwardArg.DY, 4 * b * c);
  mayRead(PoolBackwardArg.ACC, 4 * b * p * c);
  writes(PoolBackwardArg.DX, 4 * b * p * c);
}

/**
 * MaxPool: y[B,OH,OW,C] = the largest of the R×S taps of x[B,H,W,C]; taps outside the picture count as -∞. Window as Conv's, R·S ≤ 16.
 * KEPT (0: absent) gets ⌈C/32⌉·16 bytes for each output position, in Code4's blocks: the tap r·S + s that y came from, the first of equals;
 * past C 0.
 */
export const enum MaxPoolArg {
  X,
  Y,
  KEPT,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
}
export function maxPool(): void {
  window(MaxPoolArg.BATCH, false);
  demand(R * S <= MOST_TAPS);
  reads(MaxPoolArg.X, imageBytes());
  writes(MaxPoolArg.Y, outputBytes());
  mayWrite(MaxPoolArg.KEPT, code4RowsBytes(batch * outHeight * outWidth, channels));
}

/** MaxPoolBackward: dx[B,H,W,C] = Σ dy over the outputs that came from the pixel. */
export const enum MaxPoolBackwardArg {
  DY,
  KEPT,
  DX,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STRIDE,
  TOP,
  LEFT,
}
export function maxPoolBackward(): void {
  window(MaxPoolBackwardArg.BATCH, false);
  demand(R * S <= MOST_TAPS);
  reads(MaxPoolBackwardArg.DY, outputBytes());
  reads(MaxPoolBackwardArg.KEPT, code4RowsBytes(batch * outHeight * outWidth, channels));
  writes(MaxPoolBackwardArg.DX, imageBytes());
}
