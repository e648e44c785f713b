/**
 * Frozen weights from a file's bytes into 8 or 4 bits (layouts: abi/weights.ts), whole output channels at a time. Not an instruction: the
 * host calls it while it loads.
 */
import { Coded, Encoding } from '../abi/weights';
import { codeRowBytes, scaleRowBytes, scalesBytes } from './coded';
import { place } from './load';

/** Below it a channel or group counts as zero: its scale's reciprocal would not be finite. */
const LEAST: f32 = 1e-30;

/**
 * Encodes `rows` output channels, from the `row`-th of `o` on, of a weight at `dst`. `src` holds their numbers in the file's order: of each
 * channel a row-major [n1,n2] block whose element (i1,i2) is number i1·s1 + i2·s2 of the channel (of a depthwise filter [taps]). They are
 * converted to f32 at `staging` first: rows·n1·n2 floats. Returns how many were not finite.
 */
export function placeCoded(
  src: usize, dtype: i32, row: i32, rows: i32, dst: usize, encoding: i32, o: i32, n1: u32, n2: u32, s1: u32, s2: u32, staging: usize,
): u32 {
  const k = <i32>(n1 * n2);
  const depthwise = encoding == Encoding.Int8Depthwise;
  const bad = depthwise
    ? place(src, dtype, 0, <u32>(rows * k), staging, 1, k, k, k, 1)
    : place(src, dtype, 0, <u32>(rows * k), staging, n1, n2, k, s1, s2);
  const codes = dst + scalesBytes(encoding, o, k);
  for (let r = row; r < row + rows; r++) {
    const scale = dst + <usize>r * scaleRowBytes(encoding, k);
    if (encoding == Encoding.Int4) encode4(staging, k, scale, codes + <usize>r * codeRowBytes(encoding, k));
    else if (depthwise) encode8(staging, k, scale, codes + <usize>r, <usize>o);
    else encode8(staging, k, scale, codes + <usize>r * <usize>k, 1);
    staging += <usize>k << 2;
  }
  return bad;
}

/** The number furthest from zero, the first of equals; 0 where all are below LEAST. */
function extreme(x: usize, n: i32): f32 {
  let most: f32 = 0;
  for (let end = x + (<usize>n << 2); x < end; x += 4) {
    const value = load<f32>(x);
    if (abs<f32>(value) > abs<f32>(most)) most = value;
  }
  return abs<f32>(most) < LEAST ? 0 : most;
}

/** x[n] → one scale and n codes, `step` bytes apart. */
function encode8(x: usize, n: i32, scale: usize, codes: usize, step: usize): void {
  const unit = abs<f32>(extreme(x, n)) / 127;
  const factor: f32 = unit > 0 ? 1 / unit : 0;
  store<f32>(scale, unit);
  for (let i: usize = 0; i < <usize>n; i++) {
    const code = nearest<f32>(load<f32>(x + (i << 2)) * factor);
    store<i8>(codes, <i8><i32>max<f32>(-127, min<f32>(127, code)));
    codes += step;
  }
}

/** x[n] → a scale for each 64, and blocks of 32 codes. */
function encode4(x: usize, n: i32, scale: usize, codes: usize): void {
  let unit: f32 = 0;
  let factor: f32 = 0;
  // Zero is 8, twice in a byte.
  memory.fill(codes, 0x88, codeRowBytes(Encoding.Int4, n));
  for (let i = 0; i < n; i++) {
    if (i % Coded.Group4 == 0) {
      unit = extreme(x + (<usize>i << 2), min(Coded.Group4, n - i)) / -8;
      factor = unit != 0 ? 1 / unit : 0;
      store<f32>(scale, unit);
      scale += 4;
    }
    const code = 8 + <i32>max<f32>(-8, min<f32>(7, nearest<f32>(load<f32>(x + (<usize>i << 2)) * factor)));
    const at = codes + (<usize>(i >> 5) << 4) + <usize>(i & 15);
    const old = <i32>load<u8>(at);
    store<u8>(at, i & 16 ? (old & 0x0f) | (code << 4) : (old & 0xf0) | code);
  }
}
