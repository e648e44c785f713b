import { DequantizeArg, QuantizeArg } from '../abi/ops';
import { address, int } from '../argument';
import { first, last } from '../team';
import { decode8, encode8, group8CodeBytes } from './groups';

/**
 * Quantize: int8 copies of x[ROWS,C], each row in GROUPS groups with a scale of its own (abi/groups.ts, group8).
 *
 * Y overlaps nothing. Threads share the rows. Reads 4 bytes an element, writes 1.
 */
export function quantize(p: usize): void {
  const rows = int(p, QuantizeArg.ROWS);
  const c = int(p, QuantizeArg.C);
  const groups = int(p, QuantizeArg.GROUPS);
  const n = c / groups;
  const codes = address(p, QuantizeArg.Y);
  const scales = codes + group8CodeBytes(rows, c);
  const x = address(p, QuantizeArg.X);
  const until = last(rows) * groups;
  for (let g = first(rows) * groups; g < until; g++) {
    const at = <usize>g * <usize>n;
    encode8(x + (at << 2), n, codes + at, scales + (<usize>g << 1));
  }
}

/**
 * Dequantize: y[ROWS,C] from Quantize's copies. Y overlaps nothing. Threads share the rows.
 */
export function dequantize(p: usize): void {
  const rows = int(p, DequantizeArg.ROWS);
  const c = int(p, DequantizeArg.C);
  const groups = int(p, DequantizeArg.GROUPS);
  const n = c / groups;
  const codes = address(p, DequantizeArg.X);
  const scales = codes + group8CodeBytes(rows, c);
  const y = address(p, DequantizeArg.Y);
  const until = last(rows) * groups;
  for (let g = first(rows) * groups; g < until; g++) {
    const at = <usize>g * <usize>n;
    decode8(codes + at, n, scales + (<usize>g << 1), y + (at << 2));
  }
}
