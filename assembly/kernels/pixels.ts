import { Augment, CHANNELS_UNIT, PixelsArg } from '../abi/ops/pixels';
import { State } from '../abi/head';
import { Stream } from '../abi/random';
import { address, int } from '../engine/argument';
import { below, random } from '../engine/random';
import { first, last } from '../engine/team';

/**
 * Pixels: y[B,H,W,C] f32 = x[B,SH,SW,C]·scale[c] + shift[c] (x u8, or f32 with Augment.Float), seen through a window of H×W; TABLE is scale[C],
 * shift[C].
 *
 * The window lies in the middle (an odd difference leaves the extra pixel after it), with Augment.Crop moved by -PAD … PAD on each axis,
 * with Augment.Flip mirrored left to right for half of the pictures. Positions outside x repeat its edge pixels. The random bits of
 * picture i are a function of (STATE.Seed, SAMPLES[i]) alone, the same whichever augmentations are on. SAMPLES and STATE are read only
 * with Augment.Crop or Flip.
 *
 * Y overlaps nothing. Threads share the B·H rows. Moves C + 4·C bytes a pixel.
 */
export function pixels(p: usize): void {
  const x = address(p, PixelsArg.X);
  const y = address(p, PixelsArg.Y);
  const table = address(p, PixelsArg.TABLE);
  const samples = address(p, PixelsArg.SAMPLES);
  const state = address(p, PixelsArg.STATE);
  const sourceHeight = int(p, PixelsArg.SH);
  const sourceWidth = int(p, PixelsArg.SW);
  const height = int(p, PixelsArg.H);
  const width = int(p, PixelsArg.WIDTH);
  const augment = int(p, PixelsArg.AUGMENT) & (Augment.Crop | Augment.Flip);
  const isFloat = (int(p, PixelsArg.AUGMENT) & Augment.Float) != 0;
  const said = int(p, PixelsArg.AUGMENT) / CHANNELS_UNIT;
  const channels = said == 0 ? 3 : said;
  const pad = int(p, PixelsArg.PAD);
  const sourceRow = <usize>sourceWidth * channels * (isFloat ? 4 : 1);
  const rows = int(p, PixelsArg.BATCH) * height;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / height;
    let top = (sourceHeight - height) >> 1;
    let left = (sourceWidth - width) >> 1;
    let flip = false;
    if (augment != Augment.None) {
      const bits = random(load<u32>(state, State.Seed), Stream.Augment, load<u32>(samples + ((<usize>picture) << 2)));
      if (augment & Augment.Crop) {
        const choices = 2 * pad + 1;
        top += <i32>below(choices, <u32>bits) - pad;
        left += <i32>below(choices, <u32>(bits >> 16)) - pad;
      }
      if (augment & Augment.Flip) flip = <i64>bits < 0;
    }
    const line = clampTo(top + r - picture * height, sourceHeight);
    const source = x + <usize>(picture * sourceHeight + line) * sourceRow;
    const out = y + <usize>r * (<usize>width * channels * 4);
    if (isFloat) anyRow<f32>(source, sourceWidth, left, flip, out, width, channels, table);
    else if (channels == 3) rgbRow(source, sourceWidth, left, flip, out, width, table);
    else anyRow<u8>(source, sourceWidth, left, flip, out, width, channels, table);
  }
}

@inline function clampTo(i: i32, n: i32): i32 {
  return max(0, min(n - 1, i));
}

/** One row of the window of three bytes a pixel: source columns left, left+1, …, clamped; written backwards when flipped. */
function rgbRow(source: usize, sourceWidth: i32, left: i32, flip: bool, y: usize, width: i32, table: usize): void {
  if (!flip && left >= 0 && left + width <= sourceWidth) {
    const done = width & ~3;
    normalise4(source + <usize>left * 3, y, done >> 2, table);
    for (let i = done; i < width; i++) normalise(source + <usize>(left + i) * 3, y + <usize>i * 12, table);
    return;
  }
  for (let i = 0; i < width; i++) {
    const at = clampTo(left + i, sourceWidth);
    normalise(source + <usize>at * 3, y + <usize>(flip ? width - 1 - i : i) * 12, table);
  }
}

/** The same row of any number of channels, of bytes or of f32: the same numbers give the same result. */
function anyRow<T>(source: usize, sourceWidth: i32, left: i32, flip: bool, y: usize, width: i32, channels: i32, table: usize): void {
  const shift = table + ((<usize>channels) << 2);
  for (let i = 0; i < width; i++) {
    const x = source + <usize>clampTo(left + i, sourceWidth) * channels * sizeof<T>();
    const out = y + ((<usize>(flip ? width - 1 - i : i) * channels) << 2);
    for (let c = 0; c < channels; c++) {
      const at = (<usize>c) << 2;
      store<f32>(out + at, <f32>load<T>(x + c * sizeof<T>()) * load<f32>(table + at) + load<f32>(shift + at));
    }
  }
}

/** One pixel of three bytes. */
@inline function normalise(x: usize, y: usize, table: usize): void {
  store<f32>(y, <f32>load<u8>(x) * load<f32>(table) + load<f32>(table, 12));
  store<f32>(y, <f32>load<u8>(x, 1) * load<f32>(table, 4) + load<f32>(table, 16), 4);
  store<f32>(y, <f32>load<u8>(x, 2) * load<f32>(table, 8) + load<f32>(table, 20), 8);
}

/** `n` times four neighbouring pixels: twelve values in three vectors, whose channels run 0120, 1201, 2012. */
function normalise4(x: usize, y: usize, n: i32, table: usize): void {
  const scale = rotation(table);
  const shift = rotation(table + 12);
  const scale0 = v128.shuffle<f32>(scale, scale, 0, 1, 2, 0);
  const scale1 = v128.shuffle<f32>(scale, scale, 1, 2, 0, 1);
  const scale2 = v128.shuffle<f32>(scale, scale, 2, 0, 1, 2);
  const shift0 = v128.shuffle<f32>(shift, shift, 0, 1, 2, 0);
  const shift1 = v128.shuffle<f32>(shift, shift, 1, 2, 0, 1);
  const shift2 = v128.shuffle<f32>(shift, shift, 2, 0, 1, 2);
  for (let i = 0; i < n; i++) {
    v128.store(y, f32x4.add(f32x4.mul(four(x), scale0), shift0));
    v128.store(y, f32x4.add(f32x4.mul(four(x + 4), scale1), shift1), 16);
    v128.store(y, f32x4.add(f32x4.mul(four(x + 8), scale2), shift2), 32);
    x += 12;
    y += 48;
  }
}

/** Three floats and a zero, without reading past them. */
@inline function rotation(at: usize): v128 {
  return f32x4.replace_lane(v128.load64_zero(at), 2, load<f32>(at, 8));
}

/** Four bytes as floats. */
@inline function four(at: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at))));
}
