import { State } from '../abi/head';
import { CHANCES } from '../abi/ops/distort';
import { MixArg } from '../abi/ops/mix';
import { Stream } from '../abi/random';
import { address, int } from '../engine/argument';
import { below, random } from '../engine/random';
import { first, last, thread } from '../engine/team';

// The picture at hand, its partner (0: none) and that one's label, and what is drawn for both; each thread draws it for itself, and the same.
let other: usize = 0;
let otherLabel: i32 = -1;
let share: f32 = 1;
let top: i32 = 0;
let left: i32 = 0;
let bottom: i32 = 0;
let right: i32 = 0;

/**
 * Mix: for each picture a of x[B,H,W,C] and its partner b, λ uniform in 0 … 1, one of
 *
 *     as it is      y = a                                                     share 1
 *     mixup         y = λ·a + (1-λ)·b                                         share λ            (arXiv 1710.09412, Beta(1,1))
 *     cutmix        y = a, b in a rectangle of sides √(1-λ) of theirs         share 1 - area     (arXiv 1905.04899)
 *
 * The rectangle's centre is uniform over the picture, at whose edge it is cut. Partners are those of places 2k and 2k+1 in the batch, wherever a pass cuts
 * it (abi/ops/mix.ts), and what is drawn is a function of (STATE.Seed, number of the first of both) alone: no byte depends on how many pictures a
 * pass has. Y overlaps nothing. Threads share the rows of the pictures; the first writes SHARES and OTHERS.
 */
export function mix(p: usize): void {
  const batch = int(p, MixArg.BATCH);
  const height = int(p, MixArg.H);
  const line = (<usize>(int(p, MixArg.WIDTH) * int(p, MixArg.C))) << 2;
  const size = <usize>height * line;
  const x = address(p, MixArg.X);
  const y = address(p, MixArg.Y);
  const pixel = (<usize>int(p, MixArg.C)) << 2;
  if (thread == 0) shares(p, batch, size);
  let drawn = -1;
  for (let r = first(batch * height), until = last(batch * height); r < until; r++) {
    const row = r / height;
    if (row != drawn) draw(p, row, size);
    drawn = row;
    const i = r - row * height;
    const down = <usize>i * line;
    const at = <usize>row * size + down;
    if (other == 0 || share == 1) memory.copy(y + at, x + at, line);
    else if (bottom > top) {
      memory.copy(y + at, x + at, line);
      const from = <usize>left * pixel;
      if (i >= top && i < bottom) memory.copy(y + at + from, other + down + from, <usize>(right - left) * pixel);
    } else blend(x + at, other + down, y + at, line);
  }
}

function shares(p: usize, batch: i32, size: usize): void {
  for (let b = 0; b < batch; b++) {
    draw(p, b, size);
    store<f32>(address(p, MixArg.SHARES) + ((<usize>b) << 2), share);
    store<i32>(address(p, MixArg.OTHERS) + ((<usize>b) << 2), otherLabel);
  }
}

/** Finds the partner of picture `row`, and draws for both. */
function draw(p: usize, row: i32, size: usize): void {
  share = 1;
  top = 0;
  bottom = 0;
  other = 0;
  otherLabel = -1;
  const labels = address(p, MixArg.LABELS);
  const samples = address(p, MixArg.SAMPLES);
  if (load<i32>(labels + ((<usize>row) << 2)) < 0) return;
  const batch = int(p, MixArg.BATCH);
  const apart = address(p, MixArg.PARTNER_SAMPLE);
  // 1 where the pass begins with the second of a pair.
  const shift = apart != 0 && load<u32>(apart) + 1 == load<u32>(samples) ? 1 : 0;
  const beside = ((row + shift) ^ 1) - shift;
  const isApart = beside < 0 || beside >= batch;
  const at = (<usize>beside) << 2;
  if (isApart && apart == 0) return;
  otherLabel = load<i32>(isApart ? address(p, MixArg.PARTNER_LABEL) : labels + at);
  if (otherLabel < 0) return;
  other = isApart ? address(p, MixArg.PARTNER) : address(p, MixArg.X) + <usize>beside * size;
  const mine = load<u32>(samples + ((<usize>row) << 2));
  const isFirst = ((row + shift) & 1) == 0;
  toss(p, isFirst ? mine : load<u32>(isApart ? apart : samples + at));
}

/** What is drawn for a pair whose first picture has number `counter`. */
function toss(p: usize, counter: u32): void {
  const seed = load<u32>(address(p, MixArg.STATE), State.Seed);
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

/** A row of `bytes`. */
function blend(a: usize, b: usize, y: usize, bytes: usize): void {
  const rest: f32 = 1 - share;
  const own4 = f32x4.splat(share);
  const rest4 = f32x4.splat(rest);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.add(f32x4.mul(own4, v128.load(a + i)), f32x4.mul(rest4, v128.load(b + i))));
  for (; i < bytes; i += 4) store<f32>(y + i, share * load<f32>(a + i) + rest * load<f32>(b + i));
}
