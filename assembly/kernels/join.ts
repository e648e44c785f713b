import { ConcatArg, Join, SliceArg, SliceBackwardArg } from '../abi/ops/join';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/**
 * Concat: y[OUTER, ΣN]: the rows of up to eight operands, each after the other's. Nothing overlaps. Threads share the rows. Moves 8 bytes a float.
 */
export function concat(p: usize): void {
  const outer = int(p, ConcatArg.OUTER);
  let row: usize = 0;
  for (let i = 0; i < Join.Most; i++) row += (<usize>int(p, ConcatArg.N0 + i)) << 2;
  let y = address(p, ConcatArg.Y) + <usize>first(outer) * row;
  for (let o = first(outer), end = last(outer); o < end; o++)
    for (let i = 0; i < Join.Most; i++) {
      const bytes = (<usize>int(p, ConcatArg.N0 + i)) << 2;
      if (bytes == 0) continue;
      memory.copy(y, address(p, ConcatArg.X0 + i) + <usize>o * bytes, bytes);
      y += bytes;
    }
}

/** Slice: y[OUTER,COUNT] = floats FROM … of each row of x[OUTER,ROW]. Nothing overlaps. Threads share the rows. */
export function slice(p: usize): void {
  const outer = int(p, SliceArg.OUTER);
  const row = (<usize>int(p, SliceArg.ROW)) << 2;
  const bytes = (<usize>int(p, SliceArg.COUNT)) << 2;
  const x = address(p, SliceArg.X) + ((<usize>int(p, SliceArg.FROM)) << 2);
  for (let o = first(outer), end = last(outer); o < end; o++)
    memory.copy(address(p, SliceArg.Y) + <usize>o * bytes, x + <usize>o * row, bytes);
}

/** SliceBackward: dy back in its place of dx's rows, + acc, 0 elsewhere. ACC may be 0 or DX; DY overlaps neither. Threads share the rows. */
export function sliceBackward(p: usize): void {
  const outer = int(p, SliceBackwardArg.OUTER);
  const row = (<usize>int(p, SliceBackwardArg.ROW)) << 2;
  const bytes = (<usize>int(p, SliceBackwardArg.COUNT)) << 2;
  const from = (<usize>int(p, SliceBackwardArg.FROM)) << 2;
  const acc = address(p, SliceBackwardArg.ACC);
  for (let o = first(outer), end = last(outer); o < end; o++) {
    const dx = address(p, SliceBackwardArg.DX) + <usize>o * row;
    const dy = address(p, SliceBackwardArg.DY) + <usize>o * bytes;
    if (acc == 0) {
      memory.fill(dx, 0, from);
      memory.copy(dx + from, dy, bytes);
      memory.fill(dx + from + bytes, 0, row - from - bytes);
    } else {
      if (acc != address(p, SliceBackwardArg.DX)) memory.copy(dx, acc + <usize>o * row, row);
      addFloats(dy, dx + from, bytes);
    }
  }
}

/** y += x over `bytes`. */
function addFloats(x: usize, y: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(x + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i));
}
