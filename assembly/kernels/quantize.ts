import { Group } from '../abi/groups';
import { DequantizeArg, QuantizeArg } from '../abi/ops/quantize';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';
import { decode4, decode8, encode4, encode8, group4HeadBytes, group4RowBytes, group8CodeBytes, value4 } from './quantised';

/**
 * Quantize: copies of x[ROWS,C] (abi/groups.ts): int8, each row in GROUPS groups with a scale of its own (BITS = 8), or 4 bits in groups of
 * 64 channels (BITS = 4).
 *
 * Y overlaps nothing. Threads share the rows. Reads 4 bytes an element, writes 1 or ½.
 */
export function quantize(p: usize): void {
  const rows = int(p, QuantizeArg.ROWS);
  const c = int(p, QuantizeArg.C);
  const codes = address(p, QuantizeArg.Y);
  const x = address(p, QuantizeArg.X);
  if (int(p, QuantizeArg.BITS) == 4) {
    for (let row = first(rows), end = last(rows); row < end; row++)
      encode4(x + ((<usize>row * <usize>c) << 2), c, codes + <usize>row * group4RowBytes(c));
    return;
  }
  const groups = int(p, QuantizeArg.GROUPS);
  const n = c / groups;
  const scales = codes + group8CodeBytes(rows, c);
  const until = last(rows) * groups;
  for (let g = first(rows) * groups; g < until; g++) {
    const at = <usize>g * <usize>n;
    encode8(x + (at << 2), n, codes + at, scales + ((<usize>g) << 1));
  }
}

/**
 * Dequantize: y[ROWS,C] from Quantize's copies. Y overlaps nothing. Threads share the rows.
 */
export function dequantize(p: usize): void {
  const rows = int(p, DequantizeArg.ROWS);
  const c = int(p, DequantizeArg.C);
  const codes = address(p, DequantizeArg.X);
  const y = address(p, DequantizeArg.Y);
  if (int(p, DequantizeArg.BITS) == 4) {
    for (let row = first(rows), end = last(rows); row < end; row++)
      decodeRow4(codes + <usize>row * group4RowBytes(c), c, y + ((<usize>row * <usize>c) << 2));
    return;
  }
  const groups = int(p, DequantizeArg.GROUPS);
  const n = c / groups;
  const scales = codes + group8CodeBytes(rows, c);
  const until = last(rows) * groups;
  for (let g = first(rows) * groups; g < until; g++) {
    const at = <usize>g * <usize>n;
    decode8(codes + at, n, scales + ((<usize>g) << 1), y + (at << 2));
  }
}

/** One group4 row to the byte: what `decode4` would write past its end belongs to another row. */
function decodeRow4(row: usize, c: i32, y: usize): void {
  const whole = c & ~31;
  decode4(row, c, 0, whole, y);
  const header = row + ((<usize>(whole / Group.Size4)) << 2);
  const block = row + group4HeadBytes(c) + (<usize>whole >> 1);
  for (let i = whole; i < c; i++) store<f32>(y + ((<usize>i) << 2), value4(header, block, i - whole));
}
