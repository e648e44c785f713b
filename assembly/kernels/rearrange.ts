import { Axes, RearrangeArg } from '../abi/ops/rearrange';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/**
 * Rearrange: y[D0,…,D5] at (i0,…,i5) = x at Σ i·S. Nothing overlaps. Threads share y's rows, of D5 floats. Moves 8 bytes a float.
 */
export function rearrange(p: usize): void {
  const n = int(p, RearrangeArg.D5);
  const step = (<usize>int(p, RearrangeArg.S5)) << 2;
  let rows = 1;
  for (let i = 0; i < Axes.Most - 1; i++) rows *= int(p, RearrangeArg.D0 + i);
  const begin = first(rows);
  let y = address(p, RearrangeArg.Y) + ((<usize>begin * <usize>n) << 2);
  for (let row = begin, end = last(rows); row < end; row++) {
    copyRow(n, address(p, RearrangeArg.X) + rowOffset(p, row), step, y);
    y += (<usize>n) << 2;
  }
}

/** Where in x row `row` of y begins, in bytes. */
function rowOffset(p: usize, row: i32): usize {
  let at: usize = 0;
  for (let i = Axes.Most - 2; i >= 0; i--) {
    const n = int(p, RearrangeArg.D0 + i);
    at += <usize>(row % n) * <usize>int(p, RearrangeArg.S0 + i);
    row /= n;
  }
  return at << 2;
}

/** n floats, `step` bytes apart. */
function copyRow(n: i32, x: usize, step: usize, y: usize): void {
  if (step == 4) {
    memory.copy(y, x, (<usize>n) << 2);
    return;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(x));
    x += step;
    y += 4;
  }
}
