/**
 * Frozen weights from a file's bytes into 12, 8 or 4 bits (layouts: abi/weights.ts), whole output channels at a time. Not an instruction: the
 * host calls it while it loads.
 */
import { Coded, Encoding } from '../abi/weights';
import { codeRowBytes, scaleRowBytes, scalesBytes } from './codedgemm';
import { place } from './load';

/** Below it a channel or group counts as zero: its scale's reciprocal would not be finite. */
const LEAST: f32 = 1e-30;
/** Errors of rounding that differ by less count as equal, in codes. */
const STEP: f32 = 1 / 32;

/**
 * Encodes `rows` output channels, from the `row`-th of `o` on, of a weight at `dst`. `src` holds their numbers in the file's order: of each
 * channel a row-major [n1,n2] block whose element (i1,i2) is number i1·s1 + i2·s2 of the channel. They are converted
 * to f32 at `staging` first: rows·n1·n2 floats. Returns how many were not finite.
 */
export function placeCoded(
  src: usize,
  dtype: i32,
  row: i32,
  rows: i32,
  dst: usize,
  encoding: i32,
  o: i32,
  n1: u32,
  n2: u32,
  s1: u32,
  s2: u32,
  staging: usize,
): u32 {
  const k = <i32>(n1 * n2);
  const bad = place(src, dtype, 0, <u32>(rows * k), staging, n1, n2, k, s1, s2);
  const codes = dst + scalesBytes(encoding, o, k);
  for (let r = row; r < row + rows; r++) {
    const scale = dst + <usize>r * scaleRowBytes(encoding, k);
    const to = codes + <usize>r * codeRowBytes(encoding, k);
    if (encoding == Encoding.Int4) encode4(staging, k, scale, to);
    else if (encoding == Encoding.Int12) encode12(staging, k, scale, to);
    else encode8(staging, k, scale, to);
    staging += (<usize>k) << 2;
  }
  return bad;
}

/** The number furthest from zero, the first of equals; 0 where all are below LEAST. */
function extreme(x: usize, n: i32): f32 {
  let most: f32 = 0;
  for (let end = x + ((<usize>n) << 2); x < end; x += 4) {
    const value = load<f32>(x);
    if (abs<f32>(value) > abs<f32>(most)) most = value;
  }
  return abs<f32>(most) < LEAST ? 0 : most;
}

/** The nearest whole number from `low` to `high`. */
@inline function whole(x: f32, low: f32, high: f32): f32 {
  return max<f32>(low, min<f32>(high, nearest<f32>(x)));
}

/**
 * x[n] / unit → whole numbers from `low` to `high`, as floats in place, whose errors sum to nothing: each is rounded to the nearest; then as
 * many as the sum of errors asks for are rounded the other way instead, those closest to a half first (in steps of STEP, the first of equals).
 *
 * What a layer reads is seldom centred: behind ReLU-like functions it is positive, so an error common to a channel's weights adds up to a
 * shift of what it puts out. On MobileNetV2 in 8 bits this halves the error of the logits.
 */
function round(x: usize, n: i32, unit: f32, low: f32, high: f32): void {
  const factor: f32 = unit != 0 ? 1 / unit : 0;
  const end = x + ((<usize>n) << 2);
  let error: f64 = 0;
  for (let at = x; at < end; at += 4) {
    const exact = load<f32>(at) * factor;
    error += <f64>(exact - whole(exact, low, high));
    store<f32>(at, exact);
  }
  const way: f32 = error < 0 ? -1 : 1;
  let count = nearest<f64>(abs<f64>(error));
  for (let least: f32 = 0.5 - STEP; count > 0 && least >= 0; least -= STEP)
    for (let at = x; at < end && count > 0; at += 4) {
      const exact = load<f32>(at);
      const code = whole(exact, low, high);
      const other = code + way;
      if (!((exact - code) * way > least && other >= low && other <= high)) continue;
      store<f32>(at, other);
      count--;
    }
  for (let at = x; at < end; at += 4) store<f32>(at, whole(load<f32>(at), low, high));
}

/** x[n] → one scale and n codes. */
function encode8(x: usize, n: i32, scale: usize, codes: usize): void {
  const unit = abs<f32>(extreme(x, n)) / 127;
  store<f32>(scale, unit);
  round(x, n, unit, -127, 127);
  for (let i: usize = 0; i < <usize>n; i++) store<i8>(codes + i, <i8>(<i32>load<f32>(x + (i << 2))));
}

/** x[n] → one scale, and blocks of 16 codes. */
function encode12(x: usize, n: i32, scale: usize, codes: usize): void {
  const unit = abs<f32>(extreme(x, n)) / 2047;
  store<f32>(scale, unit);
  round(x, n, unit, -2047, 2047);
  memory.fill(codes, 0, codeRowBytes(Encoding.Int12, n));
  for (let i = 0; i < n; i++) {
    const code = <i32>load<f32>(x + ((<usize>i) << 2));
    const at = codes + <usize>(i >> 4) * Coded.Block12Bytes;
    store<i8>(at + <usize>(i & 15), <i8>(code >> 4));
    const below = at + 16 + <usize>(i & 7);
    store<u8>(below, load<u8>(below) | ((code & 15) << (i & 8 ? 4 : 0)));
  }
}

/** x[n] → a scale for each 64, and blocks of 32 codes. */
function encode4(x: usize, n: i32, scale: usize, codes: usize): void {
  for (let i = 0; i < n; i += Coded.Group4) {
    const group = x + ((<usize>i) << 2);
    const size = min(Coded.Group4, n - i);
    const unit = extreme(group, size) / -8;
    store<f32>(scale, unit);
    scale += 4;
    round(group, size, unit, -8, 7);
  }
  // Zero is 8, twice in a byte.
  memory.fill(codes, 0x88, codeRowBytes(Encoding.Int4, n));
  for (let i = 0; i < n; i++) {
    const code = 8 + <i32>load<f32>(x + ((<usize>i) << 2));
    const at = codes + ((<usize>(i >> 5)) << 4) + <usize>(i & 15);
    const old = <i32>load<u8>(at);
    store<u8>(at, i & 16 ? (old & 0x0f) | (code << 4) : (old & 0xf0) | code);
  }
}
