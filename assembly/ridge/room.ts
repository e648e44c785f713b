/** The head's regression (../ridge.ts): its sizes, and where each thing lies in the memory between two passes. */
import { base } from '../engine/team';
import { addScaled } from './tridiagonal';

/** The largest side of the matrix, and the most pictures. */
const MOST_SIDE: i32 = 1024;
const MOST_PICTURES: i32 = 4096;
/** How many values of λ are tried, and factors of the logits (leftout.ts). */
export const LAMBDAS: i32 = 13;
export const FACTORS: i32 = 25;
/** Rows that are worked on at a time. */
export const BLOCK: i32 = 32;

export let n: i32 = 0;
export let features: i32 = 0;
export let classes: i32 = 0;
export let firstRow: i32 = 0;
export let isDual: bool = false;
/** Side of the matrix. */
export let m: i32 = 0;

// Addresses: the head's, then the room's parts in their order.
export let weight: usize = 0;
export let bias: usize = 0;
export let gradient: usize = 0;
export let rowAt: usize = 0;
export let labels: usize = 0;
export let counts: usize = 0;
export let mean: usize = 0;
export let centred: usize = 0;
export let block: usize = 0;
export let diagonal: usize = 0;
export let beside: usize = 0;
export let u: usize = 0;
export let z: usize = 0;
export let factors: usize = 0;
export let predicted: usize = 0;
export let sums: usize = 0;
export let matrix: usize = 0;

@inline function align(bytes: i64): i64 {
  return (bytes + 15) & ~15;
}

/** Bytes of everything but the matrix, for `side` of it. */
function besides(pictures: i64, f: i64, c: i64, side: i64): i64 {
  return (
    align(f << 2) +
    align(pictures << 2) +
    2 * align(c << 3) +
    2 * align(f << 3) +
    align((BLOCK * f) << 3) +
    4 * align(side << 3) +
    2 * LAMBDAS * align(side << 3) +
    align((LAMBDAS + 3 * FACTORS) << 3)
  );
}
function fits(room: i64, pictures: i64, f: i64, c: i64, side: i64): bool {
  return side <= MOST_SIDE && besides(pictures, f, c, side) + ((side * side) << 3) <= room;
}

/** How many of n pictures can be taken, in so much room; 0: none. */
export function ridgePictures(room: u32, pictures: i32, f: i32, c: i32): i32 {
  const most = min(pictures, MOST_PICTURES);
  if (f <= most && fits(room, most, f, c, f)) return most;
  let side = min(most, min(f - 1, MOST_SIDE));
  while (side > 0 && !fits(room, side, f, c, side)) side--;
  return side < 2 || side < c ? 0 : side;
}

/** Takes the room, for as many pictures as `ridgePictures` says; offsets into the arena. */
export function layOut(room: u32, pictures: i32, f: i32, c: i32, w: u32, b: u32, g: u32, first: i32, roomBytes: u32): void {
  n = pictures;
  features = f;
  classes = c;
  firstRow = first;
  isDual = n < f || !fits(roomBytes, n, f, c, f);
  m = isDual ? n : f;
  weight = base + w;
  bias = base + b;
  gradient = base + g;
  let top = base + room;
  rowAt = top;
  top += <usize>align((<i64>f) << 2);
  labels = top;
  top += <usize>align((<i64>n) << 2);
  counts = top;
  top += <usize>align((<i64>c) << 3);
  predicted = top;
  top += <usize>align((<i64>c) << 3);
  mean = top;
  top += <usize>align((<i64>f) << 3);
  centred = top;
  top += <usize>align((<i64>f) << 3);
  block = top;
  top += <usize>align((<i64>BLOCK * f) << 3);
  const line = <usize>align((<i64>m) << 3);
  diagonal = top;
  beside = top + line;
  u = top + 2 * line;
  z = top + 3 * line;
  factors = top + 4 * line;
  top += (4 + 2 * LAMBDAS) * line;
  sums = top;
  top += <usize>align((LAMBDAS + 3 * FACTORS) << 3);
  matrix = top;
}

/** Where the wanted row, f32, goes; an offset. */
export function ridgeRow(): u32 {
  return <u32>(rowAt - base);
}

export function centre(): void {
  for (let k: usize = 0; k < <usize>features; k++)
    store<f64>(centred + (k << 3), <f64>load<f32>(rowAt + (k << 2)) - load<f64>(mean + (k << 3)));
}

/** z = Qᵀ x: rows of Q, each times its x. */
export function project(x: usize, to: usize): void {
  memory.fill(to, 0, (<usize>m) << 3);
  for (let k = 0; k < m; k++) addScaled(m, load<f64>(x + ((<usize>k) << 3)), matrix + ((<usize>k * <usize>m) << 3), to);
}

@inline export function lineOf(l: i32, which: i32): usize {
  return factors + <usize>(2 * l + which) * <usize>align((<i64>m) << 3);
}
@inline export function share(c: i32): f64 {
  return load<f64>(counts + ((<usize>c) << 3)) / <f64>n;
}
/** What the targets of class c are projected to, f32[m]. */
@inline export function targets(c: i32): usize {
  return gradient + ((<usize>c * <usize>features) << 2);
}
/** Σ x[i]·y[i], y f32. */
export function dotF32(x: usize, y: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < <usize>m; i++) sum += load<f64>(x + (i << 3)) * <f64>load<f32>(y + (i << 2));
  return sum;
}
