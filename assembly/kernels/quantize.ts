import { DequantizeArg, Keep, QuantizeArg } from '../abi/ops';
import { Status } from '../abi/status';
import { address, int } from '../argument';
import { fail } from '../status';
import { first, last, scratch } from '../team';
import { decode4, decode8, encode4, encode8, group4RowBytes, group8CodeBytes } from './groups';

/**
 * Quantize: a copy of x[ROWS,C] in groups within a row: int8 in GROUPS of them (KEEP = Group8), or 4 bits (Group4; abi/groups.ts).
 *
 * Y overlaps nothing. Threads share the rows. Reads 4 bytes an element, writes 1 or a half.
 */
export function quantize(p: usize): void {
  const rows = int(p, QuantizeArg.ROWS);
  const c = int(p, QuantizeArg.C);
  const groups = int(p, QuantizeArg.GROUPS);
  const n = c / groups;
  const codes = address(p, QuantizeArg.Y);
  const scales = codes + group8CodeBytes(rows, c);
  const x = address(p, QuantizeArg.X);
  const keep = int(p, QuantizeArg.KEEP);
  if (keep == Keep.Group4) {
    for (let r = first(rows), end = last(rows); r < end; r++)
      encode4(x + (<usize>r * <usize>c << 2), c, codes + <usize>r * group4RowBytes(c));
    return;
  }
  if (keep != Keep.Group8) return fail(Status.BadEncoding);
  const until = last(rows) * groups;
  for (let g = first(rows) * groups; g < until; g++) {
    const at = <usize>g * <usize>n;
    encode8(x + (at << 2), n, codes + at, scales + (<usize>g << 1));
  }
}

/**
 * Dequantize: y[ROWS,C] from Quantize's copies. Y overlaps nothing. Threads share the rows. Scratch for 4 bits: a row, up to 32 floats more.
 */
export function dequantize(p: usize): void {
  const rows = int(p, DequantizeArg.ROWS);
  const c = int(p, DequantizeArg.C);
  const groups = int(p, DequantizeArg.GROUPS);
  const n = c / groups;
  const codes = address(p, DequantizeArg.X);
  const scales = codes + group8CodeBytes(rows, c);
  const y = address(p, DequantizeArg.Y);
  const keep = int(p, DequantizeArg.KEEP);
  if (keep == Keep.Group4) {
    for (let r = first(rows), end = last(rows); r < end; r++) {
      // Blocks decode whole: the next row may be another thread's.
      decode4(codes + <usize>r * group4RowBytes(c), c, 0, c, scratch);
      memory.copy(y + (<usize>r * <usize>c << 2), scratch, <usize>c << 2);
    }
    return;
  }
  if (keep != Keep.Group8) return fail(Status.BadEncoding);
  const until = last(rows) * groups;
  for (let g = first(rows) * groups; g < until; g++) {
    const at = <usize>g * <usize>n;
    decode8(codes + at, n, scales + (<usize>g << 1), y + (at << 2));
  }
}
