import { ConvArg, ConvBackwardWArg, ConvBackwardXArg } from '../abi/ops/spatial';
import { Patch } from '../abi/tiles';
import { Encoding } from '../abi/weights';
import { address, int } from '../engine/argument';
import { first, last, scratch, threads } from '../engine/team';
import { gemmNNCoded, gemmNTCoded, openWeight } from './codedgemm';
import { copyFloats, GEMM_SCRATCH, gemmNN, gemmNT, gemmTN } from './gemm';
import { addTN, firstColumn, lastColumn, multiplyNN, multiplyNT, splitsRows } from './linear';

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
let stride: i32 = 0;
let top: i32 = 0;
let left: i32 = 0;

/** Reads the shape, whose twelve arguments follow each other from `at` in all three instructions. */
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
  stride = int(p, at + 9);
  top = int(p, at + 10);
  left = int(p, at + 11);
}

/** Whether the convolution is one matrix product over all pixels (abi/ops/spatial.ts asks the same). */
function isPointwise(): bool {
  return R == 1 && S == 1 && stride == 1 && top == 0 && left == 0 && outHeight == height && outWidth == width;
}

/**
 * Conv: y[B,OH,OW,O] = patches(x[B,H,W,C]) · w[O,R·S·C]ᵀ + b[O], a patch being the R·S·C numbers under the filter, zero outside the picture.
 * Patches are gathered into a tile of PIXELS × 256 numbers, never all of them (Chellapilla et al. 2006, tiled as in cuDNN, 2014).
 * y overlaps no input. Scratch: convScratch(shape). Threads share y: its pixels or, where those are few, its channels.
 */
export function conv(p: usize): void {
  readShape(p, ConvArg.BATCH);
  const x = address(p, ConvArg.X);
  const w = address(p, ConvArg.W);
  const bias = address(p, ConvArg.B);
  const y = address(p, ConvArg.Y);
  const encoding = int(p, ConvArg.ENCODING);
  const pixels = max(1, int(p, ConvArg.PIXELS));
  const M = batch * outHeight * outWidth;
  const N = outChannels;
  if (isPointwise()) return multiplyNT(M, N, channels, x, w, bias, y, encoding);
  const K = R * S * channels;
  const row = (<usize>K) << 2;
  if (encoding != Encoding.F32) openWeight(w, encoding, N, K);
  const tile = scratch + GEMM_SCRATCH;
  const byRows = M >= 64 * threads;
  const m1 = byRows ? last(M) : M;
  const n0 = byRows ? 0 : firstColumn(N);
  const n1 = byRows ? N : lastColumn(N);
  for (let m = byRows ? first(M) : 0; m < m1; m += pixels) {
    const rows = min(pixels, m1 - m);
    const to = y + ((<usize>m * <usize>N + <usize>n0) << 2);
    for (let k = 0; k < K; k += Patch.Columns) {
      const columns = min<i32>(Patch.Columns, K - k);
      gatherPatches(x, m, rows, k, columns, tile);
      const start = bias != 0 && k == 0 ? bias + ((<usize>n0) << 2) : 0;
      const line = (<usize>columns) << 2;
      const more = i32(k > 0);
      if (encoding != Encoding.F32) gemmNTCoded(rows, n1 - n0, columns, tile, line, n0, k, to, (<usize>N) << 2, start, more, scratch);
      else
        gemmNT(rows, n1 - n0, columns, tile, line, w + <usize>n0 * row + ((<usize>k) << 2), row, to, (<usize>N) << 2, start, more, scratch);
    }
  }
}

/**
 * ConvBackwardW: dw[O,R·S·C] += dy[B·OH·OW,O]ᵀ · patches(x). Pixels are summed in index order.
 * Scratch: convScratch(shape). Threads share dw: its columns (each thread gathers its own) or, where those are few, its rows.
 */
export function convBackwardW(p: usize): void {
  readShape(p, ConvBackwardWArg.BATCH);
  const dy = address(p, ConvBackwardWArg.DY);
  const x = address(p, ConvBackwardWArg.X);
  const dw = address(p, ConvBackwardWArg.DW);
  const pixels = max(1, int(p, ConvBackwardWArg.PIXELS));
  const M = batch * outHeight * outWidth;
  const O = outChannels;
  if (isPointwise()) return addTN(O, channels, M, dy, x, dw);
  const K = R * S * channels;
  const tile = scratch + GEMM_SCRATCH;
  const byRows = splitsRows(O, K);
  const o0 = byRows ? first(O) : 0;
  const o1 = byRows ? last(O) : O;
  const k1 = byRows ? K : lastColumn(K);
  for (let k = byRows ? 0 : firstColumn(K); k < k1; k += Patch.Columns) {
    const columns = min<i32>(Patch.Columns, k1 - k);
    const to = dw + ((<usize>o0 * <usize>K + <usize>k) << 2);
    for (let m = 0; m < M; m += pixels) {
      const rows = min(pixels, M - m);
      gatherPatches(x, m, rows, k, columns, tile);
      gemmTN(
        o1 - o0,
        columns,
        rows,
        dy + ((<usize>m * <usize>O + <usize>o0) << 2),
        (<usize>O) << 2,
        tile,
        (<usize>columns) << 2,
        to,
        (<usize>K) << 2,
        1,
        scratch,
      );
    }
  }
}

/**
 * ConvBackwardX: dx[b,h,w,:] = Σ_{r,s} dy[b,oh,ow,:] · w[:,r,s,:] over the taps with oh·STRIDE = h + TOP - r and ow·STRIDE = w + LEFT - s.
 * Gathered, not scattered: pixels whose h and w leave the same remainders by STRIDE have the same taps, so each such class is a dense
 * product without a wasted multiplication, one of dx's pixels is written by one thread, and its terms come in the order of r, s, o.
 * dx overlaps no input. Scratch: convBackwardXScratch(shape). Threads share dx: its pixels or, where those are few, its channels.
 */
export function convBackwardX(p: usize): void {
  readShape(p, ConvBackwardXArg.BATCH);
  const dy = address(p, ConvBackwardXArg.DY);
  const w = address(p, ConvBackwardXArg.W);
  const dx = address(p, ConvBackwardXArg.DX);
  const encoding = int(p, ConvBackwardXArg.ENCODING);
  const pixels = max(1, int(p, ConvBackwardXArg.PIXELS));
  if (isPointwise()) return multiplyNN(batch * height * width, channels, outChannels, dy, w, 0, dx, encoding);
  if (encoding != Encoding.F32) openWeight(w, encoding, outChannels, R * S * channels);
  for (let h = 0; h < min(stride, height); h++)
    for (let v = 0; v < min(stride, width); v++) backwardClass(dy, w, encoding, dx, h, v, pixels);
}

/** The pixels (h0 + i·stride, v0 + j·stride) of dx. */
function backwardClass(dy: usize, w: usize, encoding: i32, dx: usize, h0: i32, v0: i32, pixels: i32): void {
  const classHeight = (height - h0 + stride - 1) / stride;
  const classWidth = (width - v0 + stride - 1) / stride;
  const M = batch * classHeight * classWidth;
  const C = channels;
  const O = outChannels;
  const byRows = M >= 64 * threads;
  const m1 = byRows ? last(M) : M;
  const n0 = byRows ? 0 : firstColumn(C);
  const n = byRows ? C : lastColumn(C) - n0;
  const wRow = (<usize>(R * S * C)) << 2;
  const step = stride == 1 ? pixels : max(1, min(min<i32>(Patch.StridedRows, pixels), (Patch.StridedFloats * pixels) / C));
  const tile = scratch + GEMM_SCRATCH;
  const result = tile + ((<usize>step * <usize>min<i32>(Patch.Columns, O)) << 2);
  const dense = stride == 1;
  const cRow = (<usize>(dense ? C : n)) << 2;
  for (let m = byRows ? first(M) : 0; m < m1; m += step) {
    const rows = min<i32>(step, m1 - m);
    const to = dense ? dx + ((<usize>m * <usize>C + <usize>n0) << 2) : result;
    let started = 0;
    for (let r = 0; r < R; r++) {
      if ((h0 + top - r) % stride != 0) continue;
      for (let s = 0; s < S; s++) {
        if ((v0 + left - s) % stride != 0) continue;
        for (let o = 0; o < O; o += Patch.Columns) {
          const columns = min<i32>(Patch.Columns, O - o);
          gatherOutputs(dy, m, rows, classHeight, classWidth, (h0 + top - r) / stride, (v0 + left - s) / stride, o, columns, tile);
          const at = (r * S + s) * C + n0;
          const line = (<usize>columns) << 2;
          if (encoding != Encoding.F32) gemmNNCoded(rows, n, columns, tile, line, o, at, to, cRow, started, scratch);
          else gemmNN(rows, n, columns, tile, line, w + <usize>o * wRow + ((<usize>at) << 2), wRow, to, cRow, started, scratch);
          started = 1;
        }
      }
    }
    if (!started) for (let i = 0; i < rows; i++) memory.fill(to + <usize>i * cRow, 0, (<usize>n) << 2);
    if (!dense) spread(m, rows, classHeight, classWidth, h0, v0, n0, n, result, dx);
  }
}

/** Numbers [k, k + columns) of the patches of output pixels [pixel, pixel + rows), to[rows,columns]. */
function gatherPatches(x: usize, pixel: i32, rows: i32, k: i32, columns: i32, to: usize): void {
  // Within one row of the filter a patch is contiguous in x: S·C numbers.
  const length = S * channels;
  const r0 = k / length;
  const r1 = (k + columns - 1) / length;
  let ow = pixel % outWidth;
  let oh = (pixel / outWidth) % outHeight;
  let b = pixel / outWidth / outHeight;
  for (let i = 0; i < rows; i++) {
    const h0 = oh * stride - top;
    const w0 = ow * stride - left;
    // The part of a filter row that lies inside the picture.
    const inside0 = min(max(-w0, 0), S) * channels;
    const inside1 = min(max(width - w0, 0), S) * channels;
    for (let r = r0; r <= r1; r++) {
      const start = max(k - r * length, 0);
      const end = min(k + columns - r * length, length);
      const h = h0 + r;
      if (h < 0 || h >= height || inside0 >= end || inside1 <= start) zeroFloats(end - start, to);
      else if (inside0 <= start && inside1 >= end)
        copyFloats(end - start, x + ((<usize>(((b * height + h) * width + w0) * channels + start)) << 2), to);
      else {
        const from = max(start, inside0);
        const until = min(end, inside1);
        zeroFloats(from - start, to);
        copyFloats(
          until - from,
          x + ((<usize>(((b * height + h) * width + w0) * channels + from)) << 2),
          to + ((<usize>(from - start)) << 2),
        );
        zeroFloats(end - until, to + ((<usize>(until - start)) << 2));
      }
      to += (<usize>(end - start)) << 2;
    }
    if (++ow == outWidth) {
      ow = 0;
      if (++oh == outHeight) {
        oh = 0;
        b++;
      }
    }
  }
}

/** Channels [o, o + columns) of dy at (i + down, j + right) for the pixels (i, j) of a class, to[rows,columns]; zero outside. */
function gatherOutputs(
  dy: usize,
  pixel: i32,
  rows: i32,
  classHeight: i32,
  classWidth: i32,
  down: i32,
  right: i32,
  o: i32,
  columns: i32,
  to: usize,
): void {
  let j = pixel % classWidth;
  let i = (pixel / classWidth) % classHeight;
  let b = pixel / classWidth / classHeight;
  for (let n = 0; n < rows; n++) {
    const oh = i + down;
    const ow = j + right;
    if (oh < 0 || oh >= outHeight || ow < 0 || ow >= outWidth) zeroFloats(columns, to);
    else copyFloats(columns, dy + ((<usize>(((b * outHeight + oh) * outWidth + ow) * outChannels + o)) << 2), to);
    to += (<usize>columns) << 2;
    if (++j == classWidth) {
      j = 0;
      if (++i == classHeight) {
        i = 0;
        b++;
      }
    }
  }
}

/** Channels [n0, n0 + n) of the class's pixels [pixel, pixel + rows), from[rows,n], to their places in dx. */
function spread(pixel: i32, rows: i32, classHeight: i32, classWidth: i32, h0: i32, v0: i32, n0: i32, n: i32, from: usize, dx: usize): void {
  let j = pixel % classWidth;
  let i = (pixel / classWidth) % classHeight;
  let b = pixel / classWidth / classHeight;
  for (let m = 0; m < rows; m++) {
    const h = h0 + i * stride;
    const v = v0 + j * stride;
    copyFloats(n, from, dx + ((<usize>(((b * height + h) * width + v) * channels + n0)) << 2));
    from += (<usize>n) << 2;
    if (++j == classWidth) {
      j = 0;
      if (++i == classHeight) {
        i = 0;
        b++;
      }
    }
  }
}

function zeroFloats(n: i32, to: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(to, i32x4.splat(0));
    to += 16;
  }
  for (; n > 0; n--) {
    store<i32>(to, 0);
    to += 4;
  }
}
