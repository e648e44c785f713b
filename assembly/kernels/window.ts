/** Windows of a feature map: cutting it up and putting it together again, and what windows add to attention's scores. */
import { WindowPartitionArg as P, WindowReverseArg as R } from '../abi/ops/window';
import { address, int } from '../engine/argument';
import { madd } from '../engine/math';
import { first, last } from '../engine/team';

/**
 * WindowPartition: y[B·ROWS·COLUMNS, WH·WW, C] from x[B,H,W,C]; position (py, px) of the ROWS·WH × COLUMNS·WW map that the windows cover
 * reads x at ((py+SY) mod MODH, (px+SX) mod MODW), or zero where it is padding.
 *
 * Y overlaps nothing. Threads share the lines of the covered map. Source: Swin (arXiv 2103.14030).
 */
export function windowPartition(p: usize): void {
  move(address(p, P.X), address(p, P.Y), p + (P.BATCH << 2), false);
}

/**
 * WindowReverse: y[B,H,W,C] from the windows x[B·ROWS·COLUMNS, WH·WW, C]: every pixel has one position in them.
 *
 * Y overlaps nothing. Threads share the lines of the covered map, so each writes other pixels.
 */
export function windowReverse(p: usize): void {
  move(address(p, R.X), address(p, R.Y), p + (R.BATCH << 2), true);
}

/** The rest of both instructions' arguments. */
const enum A {
  BATCH,
  H,
  WIDTH,
  C,
  WH,
  WW,
  ROWS,
  COLUMNS,
  SY,
  SX,
  MODH,
  MODW,
  MERGE,
}

/** Walks the map that the windows cover, line by line. */
function move(x: usize, y: usize, p: usize, isReverse: bool): void {
  const h = int(p, A.H);
  const w = int(p, A.WIDTH);
  const row = (<usize>int(p, A.C)) << 2;
  const wh = int(p, A.WH);
  const ww = int(p, A.WW);
  const columns = int(p, A.COLUMNS);
  const merge = int(p, A.MERGE);
  const modw = int(p, A.MODW);
  const height = int(p, A.ROWS) * wh;
  const lines = int(p, A.BATCH) * height;
  const window = <usize>(wh * ww) * row;
  const step = merge ? row * <usize>wh : row;
  for (let line = first(lines), end = last(lines); line < end; line++) {
    const picture = line / height;
    const py = line - picture * height;
    const iy = py % wh;
    const my = source(py, int(p, A.SY), int(p, A.MODH), h);
    const from = <usize>((picture * h + my) * w) * row;
    let at = <usize>((line / wh) * columns) * window + <usize>(merge ? iy : iy * ww) * row;
    let px = 0;
    for (let column = 0; column < columns; column++) {
      let o = at;
      for (let ix = 0; ix < ww; ix++, px++, o += step) {
        const mx = my < 0 ? -1 : source(px, int(p, A.SX), modw, w);
        const pixel = from + <usize>mx * row;
        if (isReverse) {
          if (mx >= 0) memory.copy(y + pixel, x + o, row);
        } else if (mx >= 0) memory.copy(y + o, x + pixel, row);
        else memory.fill(y + o, 0, row);
      }
      at += window;
    }
  }
}

/** Where position `i` of the covered map comes from along one axis; -1: from nowhere. */
@inline function source(i: i32, shift: i32, mod: i32, size: i32): i32 {
  if (i >= mod) return -1;
  i += shift;
  if (i >= mod) i -= mod;
  return i < size ? i : -1;
}

/** Row of the table for the step from position j to position i, without the constant part. */
@inline function tableRow(i: i32, j: i32, ww: i32): i32 {
  return (i / ww - j / ww) * (2 * ww - 1) + (i % ww) - (j % ww);
}

/** Bytes from the start of the table to where i = j reads it, for one head. */
@inline function tableCentre(wh: i32, ww: i32, heads: i32, head: i32): usize {
  return (<usize>(((wh - 1) * (2 * ww - 1) + ww - 1) * heads + head)) << 2;
}

/** One head's relative position bias as a matrix [T,T] with rows of `stride` bytes. */
export function expandBias(table: usize, heads: i32, head: i32, wh: i32, ww: i32, out: usize, stride: usize): void {
  const t = wh * ww;
  const centre = table + tableCentre(wh, ww, heads, head);
  for (let i = 0; i < t; i++, out += stride)
    for (let j = 0; j < t; j++) store<f32>(out + ((<usize>j) << 2), load<f32>(centre + ((<isize>(tableRow(i, j, ww) * heads)) << 2)));
}

/** dtable += factor · the matrix that `expandBias` would have made, summed by entry in index order. */
export function foldBias(ds: usize, stride: usize, factor: f32, heads: i32, head: i32, wh: i32, ww: i32, dtable: usize): void {
  const t = wh * ww;
  const centre = dtable + tableCentre(wh, ww, heads, head);
  for (let i = 0; i < t; i++, ds += stride)
    for (let j = 0; j < t; j++) {
      const at = centre + ((<isize>(tableRow(i, j, ww) * heads)) << 2);
      store<f32>(at, load<f32>(at) + factor * load<f32>(ds + ((<usize>j) << 2)));
    }
}

/** s = scale·s + bias over `bytes` (a multiple of 16). */
export function addBias(s: usize, bytes: usize, scale: f32, bias: usize): void {
  const factor = f32x4.splat(scale);
  for (const end = s + bytes; s < end; s += 16, bias += 16) v128.store(s, madd(v128.load(s), factor, v128.load(bias)));
}

/** sum += s over `bytes` (a multiple of 16). */
export function addScores(sum: usize, s: usize, bytes: usize): void {
  for (const end = s + bytes; s < end; s += 16, sum += 16) v128.store(sum, f32x4.add(v128.load(sum), v128.load(s)));
}

/**
 * -100 on the scores of query positions [i, i + m) with keys of another region: a window is cut before line `cutY` and column `cutX`
 * (WH and WW where it holds one region).
 */
export function maskRegions(s: usize, i: i32, m: i32, stride: usize, wh: i32, ww: i32, cutY: i32, cutX: i32): void {
  if (cutY == wh && cutX == ww) return;
  for (const end = i + m; i < end; i++, s += stride) {
    const above = i / ww < cutY;
    const left = i % ww < cutX;
    let at = s;
    for (let y = 0; y < wh; y++) {
      const isOther = y < cutY != above;
      for (let x = 0; x < ww; x++, at += 4) if (isOther || x < cutX != left) store<f32>(at, load<f32>(at) - 100);
    }
  }
}
