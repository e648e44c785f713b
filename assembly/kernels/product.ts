import { MultiplyArg } from '../abi/ops/product';
import { address, int } from '../engine/argument';
import { firstBy, lastBy } from '../engine/team';

/** Multiply: y[N] = a[N]·b[N]. Y may equal A or B. Threads share N in blocks of 32 elements. Moves 12 bytes an element. */
export function multiply(p: usize): void {
  const n = int(p, MultiplyArg.N);
  const from = (<usize>firstBy(n, 32)) << 2;
  const until = (<usize>lastBy(n, 32)) << 2;
  const a = address(p, MultiplyArg.A);
  const b = address(p, MultiplyArg.B);
  const y = address(p, MultiplyArg.Y);
  let i = from;
  for (; i + 16 <= until; i += 16) v128.store(y + i, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  for (; i < until; i += 4) store<f32>(y + i, load<f32>(a + i) * load<f32>(b + i));
}
