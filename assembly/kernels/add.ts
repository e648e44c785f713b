import { AddArg } from '../abi/ops/elementwise';
import { address, float, int } from '../engine/argument';
import { firstBy, lastBy } from '../engine/team';

/**
 * Add: y[N] = SCALE·(a[N] + b[N]).
 *
 * Y may equal A or B (or both). Threads share N in blocks of 32 elements. Moves 12 bytes an element.
 */
export function add(p: usize): void {
  const n = int(p, AddArg.N);
  const from = firstBy(n, 32);
  const until = lastBy(n, 32);
  const scale = float(p, AddArg.SCALE);
  const scales = f32x4.splat(scale);
  const start = (<usize>from) << 2;
  let a = address(p, AddArg.A) + start;
  let b = address(p, AddArg.B) + start;
  let y = address(p, AddArg.Y) + start;
  let i = from;
  for (; i + 4 <= until; i += 4) {
    v128.store(y, f32x4.mul(f32x4.add(v128.load(a), v128.load(b)), scales));
    a += 16;
    b += 16;
    y += 16;
  }
  for (; i < until; i++) {
    store<f32>(y, (load<f32>(a) + load<f32>(b)) * scale);
    a += 4;
    b += 4;
    y += 4;
  }
}
