import { State } from '../abi/head';
import { CHANCES } from '../abi/ops/distort';
import { MixArg, MixCrossEntropyArg } from '../abi/ops/mix';
import { Stream } from '../abi/random';
import { address, int } from '../engine/argument';
import { below, random } from '../engine/random';
import { first, last, thread } from '../engine/team';
import { crossEntropyRows } from './crossentropy';

// What is drawn for the pair at hand; each thread draws it for itself, and the same.
let share: f32 = 1;
let top: i32 = 0;
let left: i32 = 0;
let bottom: i32 = 0;
let right: i32 = 0;

/**
 * Mix: for each pair (a, b) of neighbours of x[B,H,W,C], λ uniform in 0 … 1, one of
 *
 *     as it is      y = a, b                                                            share 1
 *     mixup         y = λ·a + (1-λ)·b, λ·b + (1-λ)·a                                    share λ            (arXiv 1710.09412, Beta(1,1))
 *     cutmix        y = a and b, a rectangle of sides √(1-λ) of theirs exchanged        share 1 - area     (arXiv 1905.04899)
 *
 * The rectangle's centre is uniform over the picture, at whose edge it is cut. What is drawn is a function of (STATE.Seed, SAMPLES of a) alone. Y
 * overlaps nothing. Threads share the rows of the pairs; the first writes the shares.
 */
export function mix(p: usize): void {
  const batch = int(p, MixArg.BATCH);
  const height = int(p, MixArg.H);
  const line = (<usize>(int(p, MixArg.WIDTH) * int(p, MixArg.C))) << 2;
  const size = <usize>height * line;
  const x = address(p, MixArg.X);
  const y = address(p, MixArg.Y);
  const pixel = (<usize>int(p, MixArg.C)) << 2;
  if (thread == 0) shares(p, batch);
  const rows = (batch >> 1) * height;
  let drawn = -1;
  for (let r = first(rows), until = last(rows); r < until; r++) {
    const pair = r / height;
    if (pair != drawn) draw(p, pair);
    drawn = pair;
    const i = r - pair * height;
    const at = <usize>(2 * pair) * size + <usize>i * line;
    const isCut = i >= top && i < bottom;
    if (share == 1) {
      memory.copy(y + at, x + at, line);
      memory.copy(y + at + size, x + at + size, line);
    } else if (bottom > top) {
      const from = isCut ? <usize>left * pixel : 0;
      const to = isCut ? <usize>right * pixel : 0;
      exchange(x + at, x + at + size, y + at, y + at + size, line, from, to);
    } else blend(x + at, x + at + size, y + at, y + at + size, line);
  }
  // The last of an odd number has no neighbour.
  if (batch % 2 == 1 && thread == 0) memory.copy(y + <usize>(batch - 1) * size, x + <usize>(batch - 1) * size, size);
}

function shares(p: usize, batch: i32): void {
  const out = address(p, MixArg.SHARES);
  for (let b = 0; b < batch; b++) {
    share = 1;
    if ((b | 1) < batch) draw(p, b >> 1);
    store<f32>(out + ((<usize>b) << 2), share);
  }
}

function draw(p: usize, pair: i32): void {
  share = 1;
  top = 0;
  bottom = 0;
  const a = (<usize>(2 * pair)) << 2;
  const labels = address(p, MixArg.LABELS);
  if (load<i32>(labels + a) < 0 || load<i32>(labels + a, 4) < 0) return;
  const seed = load<u32>(address(p, MixArg.STATE), State.Seed);
  const counter = load<u32>(address(p, MixArg.SAMPLES) + a);
  const bits = random(seed, Stream.Mix, counter);
  const kind = <i32>(bits & 0xffff);
  const cutmix = int(p, MixArg.CUTMIX);
  const lambda = (<f64>((bits >> 16) & 0xffff) + 0.5) / 65536;
  if (kind >= cutmix) {
    if (kind < min(CHANCES, cutmix + int(p, MixArg.MIXUP))) share = <f32>lambda;
    return;
  }
  const height = int(p, MixArg.H);
  const width = int(p, MixArg.WIDTH);
  const side = sqrt<f64>(1 - lambda);
  const tall = <i32>(side * <f64>height);
  const broad = <i32>(side * <f64>width);
  const y = <i32>below(height, <u32>(bits >> 32)) - (tall >> 1);
  const x = <i32>below(width, <u32>(bits >> 48)) - (broad >> 1);
  top = max(0, y);
  left = max(0, x);
  bottom = min(height, y + tall);
  right = min(width, x + broad);
  share = <f32>(1 - <f64>((bottom - top) * (right - left)) / <f64>(height * width));
}

/** Rows of `bytes`. */
function blend(a: usize, b: usize, ya: usize, yb: usize, bytes: usize): void {
  const rest: f32 = 1 - share;
  const own4 = f32x4.splat(share);
  const rest4 = f32x4.splat(rest);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const u = v128.load(a + i);
    const v = v128.load(b + i);
    v128.store(ya + i, f32x4.add(f32x4.mul(own4, u), f32x4.mul(rest4, v)));
    v128.store(yb + i, f32x4.add(f32x4.mul(own4, v), f32x4.mul(rest4, u)));
  }
  for (; i < bytes; i += 4) {
    const u = load<f32>(a + i);
    const v = load<f32>(b + i);
    store<f32>(ya + i, share * u + rest * v);
    store<f32>(yb + i, share * v + rest * u);
  }
}

/** Rows whose bytes from `from` to `to` change places. */
function exchange(a: usize, b: usize, ya: usize, yb: usize, bytes: usize, from: usize, to: usize): void {
  for (let i: usize = 0; i < bytes; i += 4) {
    const u = load<f32>(a + i);
    const v = load<f32>(b + i);
    const isOther = i >= from && i < to;
    store<f32>(ya + i, isOther ? v : u);
    store<f32>(yb + i, isOther ? u : v);
  }
}

/**
 * MixCrossEntropy: as CrossEntropy, the target of row i being (1-ε)·(s·label + (1-s)·neighbour's label) + ε/N, s = SHARES[i]:
 *
 *     loss = lse(x) - (1-ε)·(s·x[label] + (1-s)·x[other]) - ε·mean(x),      dlogits = LossScale·(softmax(x) - target).
 *
 * Correct is counted by the row's own label. DLOGITS may be 0 or equal X. The first thread does it all, in f64.
 */
export function mixCrossEntropy(p: usize): void {
  if (thread != 0) return;
  crossEntropyRows(
    address(p, MixCrossEntropyArg.X),
    address(p, MixCrossEntropyArg.LABELS),
    address(p, MixCrossEntropyArg.SHARES),
    address(p, MixCrossEntropyArg.DLOGITS),
    address(p, MixCrossEntropyArg.LOSSES),
    address(p, MixCrossEntropyArg.CHOICES),
    address(p, MixCrossEntropyArg.STATE),
    int(p, MixCrossEntropyArg.BATCH),
    int(p, MixCrossEntropyArg.N),
  );
}
