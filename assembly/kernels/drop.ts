/**
 * Drop: y = x·mask/(1 - rate): dropout, a mask for each element, or drop-path, one for each picture. Backward is the same with dy: the mask
 * is kept nowhere, it is a function of the seed, the layer's NUMBER and the picture's counter.
 *
 *   x, y      f32 [BATCH, N]; y may be x           samples  u32 [BATCH]
 *   PATH      a picture is dropped where the low 16 bits of its key are below THRESHOLD (of 65536)
 *   else      an element is, by 16 bits of its own: counter ⌊i/4⌋ of the picture's stream gives four elements theirs
 *
 * What is dropped is 0 even where x is NaN or infinite. Threads share blocks of 16 elements. Moves 8 bytes an element.
 * Source: dropout, N. Srivastava et al., JMLR 15 (2014); drop-path, arXiv 1603.09382; Philox as in `random.ts`, four counters abreast.
 */
import { State } from '../abi/head';
import { DropArg } from '../abi/ops/drop';
import { Stream } from '../abi/random';
import { address, float, int } from '../engine/argument';
import { MULTIPLIER, random, WEYL } from '../engine/random';
import { first, last } from '../engine/team';

export function drop(p: usize): void {
  const x = address(p, DropArg.X);
  const y = address(p, DropArg.Y);
  const n = int(p, DropArg.N);
  const threshold = int(p, DropArg.THRESHOLD);
  const isPath = int(p, DropArg.PATH) != 0;
  const scale = float(p, DropArg.SCALE);
  const seed = load<u32>(address(p, DropArg.STATE), State.Seed);
  const stream = ((<u32>int(p, DropArg.NUMBER)) << 4) | Stream.Drop;
  const blocks = (n + 15) >> 4;
  const end = last(blocks * int(p, DropArg.BATCH));
  for (let block = first(blocks * int(p, DropArg.BATCH)); block < end; ) {
    const picture = block / blocks;
    const key = <u32>random(seed, stream, load<u32>(address(p, DropArg.SAMPLES) + ((<usize>picture) << 2)));
    const start = block - picture * blocks;
    const count = min(blocks - start, end - block);
    const at = (<usize>picture * <usize>n + ((<usize>start) << 4)) << 2;
    const length = min(count << 4, n - (start << 4));
    if (isPath) scaleAll(x + at, y + at, length, <i32>(key & 0xffff) < threshold ? 0 : scale);
    else dropSome(x + at, y + at, start << 2, length, key, threshold, scale);
    block += count;
  }
}

/** y = factor·x, or 0 where the factor is. */
function scaleAll(x: usize, y: usize, n: i32, factor: f32): void {
  if (factor == 0) return memory.fill(y, 0, (<usize>n) << 2);
  const f = f32x4.splat(factor);
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.mul(v128.load(x), f));
    x += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(x) * factor);
    x += 4;
    y += 4;
  }
}

/** Elements from counter `counter` on, four a counter. */
function dropSome(x: usize, y: usize, counter: i32, n: i32, key: u32, threshold: i32, scale: f32): void {
  const s = f32x4.splat(scale);
  const t = i16x8.splat(<i16>threshold);
  const multiplier = i32x4.splat(<i32>MULTIPLIER);
  for (; n > 0; n -= 16) {
    let left = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
    let right = i32x4.splat(Stream.Drop);
    let k = key;
    for (let round = 0; round < 10; round++) {
      const a = i64x2.extmul_low_i32x4_u(left, multiplier);
      const b = i64x2.extmul_high_i32x4_u(left, multiplier);
      left = v128.xor(v128.xor(v128.shuffle<i32>(a, b, 1, 3, 5, 7), i32x4.splat(k)), right);
      right = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
      k += WEYL;
    }
    // Four 16-bit numbers a counter, in the order of its 64 bits.
    const low = i16x8.ge_u(v128.shuffle<i32>(left, right, 0, 4, 1, 5), t);
    const high = i16x8.ge_u(v128.shuffle<i32>(left, right, 2, 6, 3, 7), t);
    keep4(x, y, n, i32x4.extend_low_i16x8_s(low), s);
    keep4(x + 16, y + 16, n - 4, i32x4.extend_high_i16x8_s(low), s);
    keep4(x + 32, y + 32, n - 8, i32x4.extend_low_i16x8_s(high), s);
    keep4(x + 48, y + 48, n - 12, i32x4.extend_high_i16x8_s(high), s);
    counter += 4;
    x += 64;
    y += 64;
  }
}

/** The first n of four elements, those outside `mask` as 0. */
@inline function keep4(x: usize, y: usize, n: i32, mask: v128, scale: v128): void {
  if (n >= 4) return v128.store(y, v128.and(f32x4.mul(v128.load(x), scale), mask));
  for (let i = 0; i < n; i++) {
    const at = (<usize>i) << 2;
    store<f32>(y + at, load<f32>(x + at) * f32x4.extract_lane(scale, 0));
    if (i32x4.bitmask(mask) & (1 << i)) continue;
    store<f32>(y + at, 0);
  }
}
