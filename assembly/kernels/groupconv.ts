/**
 * Convolutions in NHWC whose channels fall into GROUPS, each with filters of its own, and whose taps may be spaced (dilation):
 *
 *   y[b,oh,ow,o] = b[o] + Σ_{r,s,c} x[b, oh·STEPY + r·DOWN - TOP, ow·STEPX + s·ACROSS - LEFT, group(o)·C/GROUPS + c] · w[o,r,s,c]
 *
 * One tile of pixels and one group at a time: its patches are gathered into rows of R·S·C/GROUPS numbers, zero outside the picture, and multiplied
 * with the group's filters. Threads share (tile, group) of the output, in BackwardW (group, 256 columns of dw): no sum is ever split.
 * Nothing overlaps. Scratch: `groupConvScratch` (abi/ops/groupconv.ts).
 */
import { GroupConvArg, GroupConvBackwardWArg, GroupConvBackwardXArg } from '../abi/ops/groupconv';
import { Patch } from '../abi/tiles';
import { Encoding } from '../abi/weights';
import { address, int } from '../engine/argument';
import { first, last, scratch } from '../engine/team';
import { gemmNNCoded, gemmNTCoded, openWeight } from './codedgemm';
import { copyFloats, GEMM_SCRATCH, gemmNN, gemmNT, gemmTN } from './gemm';

/** The shape of the instruction at work. Every thread has an instance, so globals are its own. */
let batch: i32 = 0;
let height: i32 = 0;
let width: i32 = 0;
let channels: i32 = 0;
let outHeight: i32 = 0;
let outWidth: i32 = 0;
let outChannels: i32 = 0;
let R: i32 = 0;
let S: i32 = 0;
let stepY: i32 = 0;
let stepX: i32 = 0;
let down: i32 = 0;
let across: i32 = 0;
let top: i32 = 0;
let left: i32 = 0;
let groups: i32 = 0;
/** Channels of one group, in and out. */
let groupIn: i32 = 0;
let groupOut: i32 = 0;

/** Reads the shape, whose sixteen arguments follow each other from `at` in all three instructions. */
function readShape(p: usize, at: i32): void {
  batch = int(p, at);
  height = int(p, at + 1);
  width = int(p, at + 2);
  channels = int(p, at + 3);
  outHeight = int(p, at + 4);
  outWidth = int(p, at + 5);
  outChannels = int(p, at + 6);
  R = int(p, at + 7);
  S = int(p, at + 8);
  stepY = int(p, at + 9);
  stepX = int(p, at + 10);
  down = int(p, at + 11);
  across = int(p, at + 12);
  top = int(p, at + 13);
  left = int(p, at + 14);
  groups = int(p, at + 15);
  groupIn = channels / groups;
  groupOut = outChannels / groups;
}

export function groupConv(p: usize): void {
  readShape(p, GroupConvArg.BATCH);
  const w = address(p, GroupConvArg.W);
  const bias = address(p, GroupConvArg.B);
  const encoding = int(p, GroupConvArg.ENCODING);
  const pixels = int(p, GroupConvArg.PIXELS);
  const M = batch * outHeight * outWidth;
  const K = R * S * groupIn;
  const row = (<usize>K) << 2;
  const line = (<usize>outChannels) << 2;
  if (encoding != Encoding.F32) openWeight(w, encoding, outChannels, K);
  const tile = scratch + GEMM_SCRATCH;
  const units = ((M + pixels - 1) / pixels) * groups;
  for (let unit = first(units), end = last(units); unit < end; unit++) {
    const m = (unit / groups) * pixels;
    const group = unit % groups;
    const rows = min(pixels, M - m);
    const o = group * groupOut;
    const to = address(p, GroupConvArg.Y) + <usize>m * line + ((<usize>o) << 2);
    for (let k = 0; k < K; k += Patch.Columns) {
      const columns = min<i32>(Patch.Columns, K - k);
      gatherPatches(address(p, GroupConvArg.X), group, m, rows, k, columns, tile);
      const start = bias != 0 && k == 0 ? bias + ((<usize>o) << 2) : 0;
      const bytes = (<usize>columns) << 2;
      const more = i32(k > 0);
      if (encoding != Encoding.F32) gemmNTCoded(rows, groupOut, columns, tile, bytes, o, k, to, line, start, more, scratch);
      else gemmNT(rows, groupOut, columns, tile, bytes, w + <usize>o * row + ((<usize>k) << 2), row, to, line, start, more, scratch);
    }
  }
}

export function groupConvBackwardW(p: usize): void {
  readShape(p, GroupConvBackwardWArg.BATCH);
  const pixels = int(p, GroupConvBackwardWArg.PIXELS);
  const M = batch * outHeight * outWidth;
  const K = R * S * groupIn;
  const tile = scratch + GEMM_SCRATCH;
  const line = (<usize>outChannels) << 2;
  const parts = (K + Patch.Columns - 1) / Patch.Columns;
  for (let unit = first(groups * parts), end = last(groups * parts); unit < end; unit++) {
    const group = unit / parts;
    const k = (unit % parts) * Patch.Columns;
    const columns = min<i32>(Patch.Columns, K - k);
    const o = group * groupOut;
    const to = address(p, GroupConvBackwardWArg.DW) + ((<usize>o * <usize>K + <usize>k) << 2);
    for (let m = 0; m < M; m += pixels) {
      const rows = min(pixels, M - m);
      gatherPatches(address(p, GroupConvBackwardWArg.X), group, m, rows, k, columns, tile);
      const dy = address(p, GroupConvBackwardWArg.DY) + <usize>m * line + ((<usize>o) << 2);
      gemmTN(groupOut, columns, rows, dy, line, tile, (<usize>columns) << 2, to, (<usize>K) << 2, 1, scratch);
    }
  }
}

/** dx's terms come in the order of r, s, o; where a step leaves a tap without an output its rows are zeros. */
export function groupConvBackwardX(p: usize): void {
  readShape(p, GroupConvBackwardXArg.BATCH);
  const w = address(p, GroupConvBackwardXArg.W);
  const encoding = int(p, GroupConvBackwardXArg.ENCODING);
  const pixels = int(p, GroupConvBackwardXArg.PIXELS);
  const M = batch * height * width;
  const K = R * S * groupIn;
  const row = (<usize>K) << 2;
  const line = (<usize>channels) << 2;
  if (encoding != Encoding.F32) openWeight(w, encoding, outChannels, K);
  const tile = scratch + GEMM_SCRATCH;
  const units = ((M + pixels - 1) / pixels) * groups;
  for (let unit = first(units), end = last(units); unit < end; unit++) {
    const m = (unit / groups) * pixels;
    const group = unit % groups;
    const rows = min(pixels, M - m);
    const to = address(p, GroupConvBackwardXArg.DX) + <usize>m * line + ((<usize>(group * groupIn)) << 2);
    let started = 0;
    for (let tap = 0; tap < R * S; tap++)
      for (let k = 0; k < groupOut; k += Patch.Columns) {
        const columns = min<i32>(Patch.Columns, groupOut - k);
        const o = group * groupOut + k;
        const bytes = (<usize>columns) << 2;
        if (!gatherOutputs(address(p, GroupConvBackwardXArg.DY), m, rows, tap / S, tap % S, o, columns, tile)) continue;
        const at = tap * groupIn;
        if (encoding != Encoding.F32) gemmNNCoded(rows, groupIn, columns, tile, bytes, o, at, to, line, started, scratch);
        else gemmNN(rows, groupIn, columns, tile, bytes, w + <usize>o * row + ((<usize>at) << 2), row, to, line, started, scratch);
        started = 1;
      }
    if (!started) for (let i = 0; i < rows; i++) memory.fill(to + <usize>i * line, 0, (<usize>groupIn) << 2);
  }
}

/** Numbers [k, k + columns) of one group's patches of the output pixels [pixel, pixel + rows), to[rows,columns]. */
function gatherPatches(x: usize, group: i32, pixel: i32, rows: i32, k: i32, columns: i32, to: usize): void {
  const tap = k / groupIn;
  let ow = pixel % outWidth;
  let oh = (pixel / outWidth) % outHeight;
  let picture = x + ((<usize>((pixel / outWidth / outHeight) * height * width * channels + group * groupIn)) << 2);
  for (let m = 0; m < rows; m++) {
    let h = oh * stepY - top + (tap / S) * down;
    let s = tap % S;
    let c = k - tap * groupIn;
    for (let open = columns; open > 0; ) {
      const n = min(groupIn - c, open);
      const v = ow * stepX - left + s * across;
      if (h < 0 || h >= height || v < 0 || v >= width) zeroFloats(n, to);
      else copyFloats(n, picture + ((<usize>((h * width + v) * channels + c)) << 2), to);
      to += (<usize>n) << 2;
      open -= n;
      c = 0;
      if (++s == S) {
        s = 0;
        h += down;
      }
    }
    if (++ow == outWidth) {
      ow = 0;
      if (++oh == outHeight) {
        oh = 0;
        picture += (<usize>(height * width * channels)) << 2;
      }
    }
  }
}

function zeroFloats(n: i32, to: usize): void {
  for (; n >= 4; n -= 4, to += 16) v128.store(to, i32x4.splat(0));
  for (; n > 0; n--, to += 4) store<i32>(to, 0);
}

/**
 * Channels [o, o + columns) of the dy that tap (r, s) takes to the pixels [pixel, pixel + rows) of dx, to[rows,columns]; zero where there is none.
 * Returns whether there is any.
 */
function gatherOutputs(dy: usize, pixel: i32, rows: i32, r: i32, s: i32, o: i32, columns: i32, to: usize): bool {
  let found = false;
  for (let m = pixel; m < pixel + rows; m++) {
    const v = (m % width) + left - s * across;
    const h = ((m / width) % height) + top - r * down;
    const oh = h / stepY;
    const ow = v / stepX;
    if (h < 0 || v < 0 || h != oh * stepY || v != ow * stepX || oh >= outHeight || ow >= outWidth) zeroFloats(columns, to);
    else {
      found = true;
      const b = m / width / height;
      copyFloats(columns, dy + ((<usize>(((b * outHeight + oh) * outWidth + ow) * outChannels + o)) << 2), to);
    }
    to += (<usize>columns) << 2;
  }
  return found;
}
