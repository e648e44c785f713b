import { CHANCES, DistortArg, PARTS } from '../abi/ops/distort';
import { Augment, CHANNELS_UNIT } from '../abi/ops/pixels';
import { State } from '../abi/head';
import { Stream } from '../abi/random';
import { address, int } from '../engine/argument';
import { cosPi } from '../engine/math';
import { below, random } from '../engine/random';
import { first, last } from '../engine/team';

// What is drawn for the picture at hand; each thread draws it for itself, and the same.
let top: f64 = 0;
let left: f64 = 0;
let flip: bool = false;
let cosine: f64 = 1;
let sine: f64 = 0;
let bright: f32 = 1;
let contrast: f32 = 1;
let saturation: f32 = 1;
/** The share of each neighbour in a blurred pixel; 0: none is blurred. */
let beside: f32 = 0;
let eraseTop: i32 = 0;
let eraseLeft: i32 = 0;
let eraseHeight: i32 = 0;
let eraseWidth: i32 = 0;
let height: i32 = 0;
let width: i32 = 0;
let channels: i32 = 0;

/**
 * Distort: y[B,H,W,C] f32 = v·scale[c] + shift[c], v being x[B,H,W,C] seen at
 *
 *     (row, column) = centre + (top, left) + turned(±(i, j) - centre)/zoom,   between four pixels by their distances, edge pixels repeated,
 *
 * each pixel with Blur the mean of itself and its neighbours (k, 1-2k, k on both axes). Then, of three bytes a pixel, in this order and kept within 0 … 255:
 * v·bright; m + contrast·(v - m), m the mean grey of x; g + saturation·(v - g), g = 0.299 r + 0.587 g + 0.114 b. Within the erased rectangle y is 0.
 *
 * Everything drawn for picture i is a function of (STATE.Seed, SAMPLES[i]) alone; window and mirror are those of Pixels. Y overlaps nothing.
 * Threads share the B·H rows.
 */
export function distort(p: usize): void {
  const x = address(p, DistortArg.X);
  const samples = address(p, DistortArg.SAMPLES);
  const seed = load<u32>(address(p, DistortArg.STATE), State.Seed);
  const table = address(p, DistortArg.TABLE);
  const augment = int(p, DistortArg.AUGMENT);
  height = int(p, DistortArg.H);
  width = int(p, DistortArg.WIDTH);
  channels = augment / CHANNELS_UNIT == 0 ? 3 : augment / CHANNELS_UNIT;
  const isFloat = (augment & Augment.Float) != 0;
  const isColour = channels == 3 && !isFloat;
  const size = <usize>(height * width * channels) * (isFloat ? 4 : 1);
  const rows = int(p, DistortArg.BATCH) * height;
  let y = address(p, DistortArg.Y) + ((<usize>first(rows) * <usize>(width * channels)) << 2);
  let drawn = -1;
  let grey: f32 = 0;
  for (let r = first(rows), until = last(rows); r < until; r++) {
    const picture = r / height;
    const from = x + <usize>picture * size;
    if (picture != drawn) {
      draw(p, seed, load<u32>(samples + ((<usize>picture) << 2)), augment);
      grey = isColour && contrast != 1 ? bright * meanGrey(from) : 0;
      drawn = picture;
    }
    if (isFloat) row<f32>(from, r - picture * height, y, table, false, grey);
    else row<u8>(from, r - picture * height, y, table, isColour, grey);
    y += (<usize>(width * channels)) << 2;
  }
}

/** From -1 to 1, by 16 bits. */
@inline function either(bits: u64): f64 {
  return <f64>(bits & 0xffff) / 32768 - 1;
}

function draw(p: usize, seed: u32, counter: u32, augment: i32): void {
  const window = random(seed, Stream.Augment, counter);
  const pad = int(p, DistortArg.PAD);
  const isMoved = (augment & Augment.Crop) != 0;
  top = isMoved ? <f64>(<i32>below(2 * pad + 1, <u32>window) - pad) : 0;
  left = isMoved ? <f64>(<i32>below(2 * pad + 1, <u32>(window >> 16)) - pad) : 0;
  flip = (augment & Augment.Flip) != 0 && <i64>window < 0;

  const shape = random(seed, Stream.Augment | (1 << 4), counter);
  const turn = (either(shape) * <f64>int(p, DistortArg.TURN)) / PARTS;
  const zoom = 1 + (either(shape >> 16) * <f64>int(p, DistortArg.ZOOM)) / PARTS;
  cosine = cosPi(turn) / zoom;
  sine = cosPi(turn - 0.5) / zoom;
  bright = <f32>(1 + (either(shape >> 32) * <f64>int(p, DistortArg.BRIGHT)) / PARTS);
  contrast = <f32>(1 + (either(shape >> 48) * <f64>int(p, DistortArg.CONTRAST)) / PARTS);

  const tone = random(seed, Stream.Augment | (2 << 4), counter);
  saturation = <f32>(1 + (either(tone) * <f64>int(p, DistortArg.SATURATION)) / PARTS);
  if (isDrawn(tone >> 16, int(p, DistortArg.GREY))) saturation = 0;
  beside = isDrawn(tone >> 32, int(p, DistortArg.BLUR)) ? <f32>(<f64>(tone >> 48) / (3 * <f64>CHANCES)) : 0;

  const hole = random(seed, Stream.Augment | (3 << 4), counter);
  const place = random(seed, Stream.Augment | (4 << 4), counter);
  const isErased = isDrawn(hole, int(p, DistortArg.ERASE));
  eraseHeight = isErased ? sideOf(height, hole >> 16) : 0;
  eraseWidth = isErased ? sideOf(width, hole >> 32) : 0;
  eraseTop = <i32>below(height - eraseHeight + 1, <u32>place);
  eraseLeft = <i32>below(width - eraseWidth + 1, <u32>(place >> 16));
}

/** For so many of 65536. */
@inline function isDrawn(bits: u64, chances: i32): bool {
  return <i32>(bits & 0xffff) < chances;
}

/** From an eighth to a half of a side. */
function sideOf(side: i32, bits: u64): i32 {
  const least = max(1, side >> 3);
  return least + <i32>below(max(1, side >> 1) - least + 1, <u32>bits);
}

/** Of three bytes a pixel; whole numbers until the last division. */
function meanGrey(x: usize): f32 {
  const n = height * width;
  let sum: u64 = 0;
  for (let i = 0; i < n; i++, x += 3) sum += 299 * <u64>load<u8>(x) + 587 * <u64>load<u8>(x, 1) + 114 * <u64>load<u8>(x, 2);
  return <f32>(<f64>sum / (1000 * <f64>n));
}

@inline function within(v: f32): f32 {
  return max<f32>(0, min<f32>(255, v));
}

function row<T>(x: usize, i: i32, y: usize, table: usize, isColour: bool, grey: f32): void {
  const shift = table + ((<usize>channels) << 2);
  const v = <f64>i - 0.5 * <f64>(height - 1);
  const isErasedRow = i >= eraseTop && i < eraseTop + eraseHeight;
  for (let j = 0; j < width; j++, y += (<usize>channels) << 2) {
    if (isErasedRow && j >= eraseLeft && j < eraseLeft + eraseWidth) {
      memory.fill(y, 0, (<usize>channels) << 2);
      continue;
    }
    const across = <f64>j - 0.5 * <f64>(width - 1);
    const u = flip ? -across : across;
    const column = max<f64>(0, min<f64>(<f64>(width - 1), 0.5 * <f64>(width - 1) + left + cosine * u + sine * v));
    const line = max<f64>(0, min<f64>(<f64>(height - 1), 0.5 * <f64>(height - 1) + top + cosine * v - sine * u));
    for (let c = 0; c < channels; c++) store<f32>(y + ((<usize>c) << 2), between<T>(x, line, column, c));
    if (isColour) recolour(y, grey);
    for (let c = 0; c < channels; c++) {
      const at = (<usize>c) << 2;
      store<f32>(y + at, load<f32>(y + at) * load<f32>(table + at) + load<f32>(shift + at));
    }
  }
}

/** Between four pixels. */
function between<T>(x: usize, line: f64, column: f64, c: i32): f32 {
  const i = <i32>line;
  const j = <i32>column;
  const a = <f32>(line - <f64>i);
  const b = <f32>(column - <f64>j);
  const upper = tap<T>(x, i, j, c);
  const over = b == 0 ? upper : (1 - b) * upper + b * tap<T>(x, i, j + 1, c);
  if (a == 0) return over;
  const lower = tap<T>(x, i + 1, j, c);
  return (1 - a) * over + a * (b == 0 ? lower : (1 - b) * lower + b * tap<T>(x, i + 1, j + 1, c));
}

/** A pixel, blurred where it is to be. */
function tap<T>(x: usize, i: i32, j: i32, c: i32): f32 {
  if (beside == 0) return pixel<T>(x, i, j, c);
  const own: f32 = 1 - 2 * beside;
  return (
    own * (own * pixel<T>(x, i, j, c) + beside * (pixel<T>(x, i, j - 1, c) + pixel<T>(x, i, j + 1, c))) +
    beside *
      (own * (pixel<T>(x, i - 1, j, c) + pixel<T>(x, i + 1, j, c)) +
        beside *
          (pixel<T>(x, i - 1, j - 1, c) + pixel<T>(x, i - 1, j + 1, c) + (pixel<T>(x, i + 1, j - 1, c) + pixel<T>(x, i + 1, j + 1, c))))
  );
}

@inline function pixel<T>(x: usize, i: i32, j: i32, c: i32): f32 {
  const at = (max(0, min(height - 1, i)) * width + max(0, min(width - 1, j))) * channels + c;
  return <f32>load<T>(x + <usize>at * sizeof<T>());
}

/** Three numbers from 0 to 255, in place. */
function recolour(y: usize, grey: f32): void {
  const r = toned(load<f32>(y), grey);
  const g = toned(load<f32>(y, 4), grey);
  const b = toned(load<f32>(y, 8), grey);
  const own: f32 = <f32>0.299 * r + <f32>0.587 * g + <f32>0.114 * b;
  store<f32>(y, within(own + saturation * (r - own)));
  store<f32>(y, within(own + saturation * (g - own)), 4);
  store<f32>(y, within(own + saturation * (b - own)), 8);
}

@inline function toned(v: f32, grey: f32): f32 {
  const lit = within(v * bright);
  return contrast == 1 ? lit : within(grey + contrast * (lit - grey));
}
