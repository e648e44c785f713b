/** Convolutions in groups, with steps and spacing of their own along each axis. */
import { Patch } from '../tiles.ts';
import {
  between,
  demand,
  groups,
  mayRead,
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

/** GroupConv and GroupConvBackwardW: a tile of one group's patches behind the GEMM's scratch. */
export function groupConvScratch(positions: number, taps: number, pixels: number = Patch.Rows): number {
  return gemmScratch() + 4 * Math.min(pixels, positions) * Math.min(Patch.Columns, taps);
}

/** The shape of the instruction in question: BATCH … GROUPS. */
let batch: number = 0;
let height: number = 0;
let width: number = 0;
let channels: number = 0;
let outHeight: number = 0;
let outWidth: number = 0;
let outChannels: number = 0;
let taps: number = 0;
let parts: number = 0;

/** One axis: its size, that of the output, and STEP, SPACING, FIRST, the filter's length. */
function axis(full: number, out: number, length: number, step: i32, spacing: i32, before: i32): void {
  const apart = between(spacing, 1, MOST_STEP);
  const reach = (length - 1) * apart;
  demand(reach <= MOST_TILE);
  const every = between(step, 1, MOST_STEP);
  // Every window begins before the picture ends, and no tap lies wholly in the padding before it.
  demand((out - 1) * every < full + between(before, 0, reach));
}

function window(at: i32): void {
  batch = size(at);
  height = size(at + 1);
  width = size(at + 2);
  channels = size(at + 3);
  outHeight = size(at + 4);
  outWidth = size(at + 5);
  outChannels = size(at + 6);
  const r = size(at + 7);
  const s = size(at + 8);
  axis(height, outHeight, r, at + 9, at + 11, at + 13);
  axis(width, outWidth, s, at + 10, at + 12, at + 14);
  parts = groups(at + 15, channels);
  groups(at + 15, outChannels);
  taps = (r * s * channels) / parts;
  demand(r * s * channels <= MOST_PRODUCT);
}
function imageBytes(): number {
  return 4 * batch * height * width * channels;
}
function outputBytes(): number {
  return 4 * batch * outHeight * outWidth * outChannels;
}

/**
 * GroupConv: x[B,H,W,C], w[O,R,S,C/GROUPS], b[O] or 0, y[B,OH,OW,O]: output channels of group g = ⌊o·GROUPS/O⌋ see the input channels of the same
 * group. Windows begin STEPY rows (STEPX columns) apart, their taps are DOWN rows (ACROSS columns) apart. TOP and LEFT are the zero padding
 * before the first row and column; padding after the last is whatever OH and OW imply. PIXELS: most of them in a tile (abi/tiles.ts).
 */
export const enum GroupConvArg {
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
  STEPY,
  STEPX,
  DOWN,
  ACROSS,
  TOP,
  LEFT,
  GROUPS,
  ENCODING,
  PIXELS,
}
export function groupConv(): void {
  window(GroupConvArg.BATCH);
  const pixels = between(GroupConvArg.PIXELS, 1, MOST_TILE);
  reads(GroupConvArg.X, imageBytes());
  reads(GroupConvArg.W, weightBytes(GroupConvArg.ENCODING, outChannels, taps));
  mayRead(GroupConvArg.B, 4 * outChannels);
  writes(GroupConvArg.Y, outputBytes());
  takesScratch(groupConvScratch(batch * outHeight * outWidth, taps, pixels));
}

/** GroupConvBackwardX: dx[B,H,W,C], the transpose of GroupConv without its bias, of dy[B,OH,OW,O]. */
export const enum GroupConvBackwardXArg {
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
  STEPY,
  STEPX,
  DOWN,
  ACROSS,
  TOP,
  LEFT,
  GROUPS,
  ENCODING,
  PIXELS,
}
export function groupConvBackwardX(): void {
  window(GroupConvBackwardXArg.BATCH);
  const pixels = between(GroupConvBackwardXArg.PIXELS, 1, MOST_TILE);
  reads(GroupConvBackwardXArg.DY, outputBytes());
  reads(GroupConvBackwardXArg.W, weightBytes(GroupConvBackwardXArg.ENCODING, outChannels, taps));
  writes(GroupConvBackwardXArg.DX, imageBytes());
  takesScratch(groupConvScratch(batch * height * width, outChannels / parts, pixels));
}

/** GroupConvBackwardW: dw[O,R,S,C/GROUPS] += Σ dy · patches(x). */
export const enum GroupConvBackwardWArg {
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
  STEPY,
  STEPX,
  DOWN,
  ACROSS,
  TOP,
  LEFT,
  GROUPS,
  PIXELS,
}
export function groupConvBackwardW(): void {
  window(GroupConvBackwardWArg.BATCH);
  const pixels = between(GroupConvBackwardWArg.PIXELS, 1, MOST_TILE);
  reads(GroupConvBackwardWArg.DY, outputBytes());
  reads(GroupConvBackwardWArg.X, imageBytes());
  writes(GroupConvBackwardWArg.DW, 4 * outChannels * taps);
  takesScratch(groupConvScratch(batch * outHeight * outWidth, taps, pixels));
}
