/**
 * Activation: y = f(x), keeping nothing, x itself, one bit or a 4- or 8-bit code of f′(x) for backward; ActivationBackward: dx = f′·dy.
 *
 * Shapes: x, y, dy, dx f32 [N], any N. Aliasing: Y = X and DX = DY are fine (unless x is what is kept); nothing else overlaps.
 * Threads share out blocks of 32 elements: no two touch one byte of KEPT, no sum is made, and every element goes through the same
 * instructions wherever it stands, so neither N nor the number of threads changes a bit. y does not depend on KEEP.
 * Moved per element: forward 8 bytes + the code, backward 8 bytes + the code (12 where x is kept).
 *
 * The functions are in functions.ts, the loops over them in activationloops.ts, the codes in derivative.ts; bykind.ts picks the function.
 */
import { ActivationArg, ActivationBackwardArg } from '../abi/ops/elementwise';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';
import { backwardOf, forwardOf } from '../generated/bykind';

export function activation(p: usize): void {
  const x = address(p, ActivationArg.X);
  const y = address(p, ActivationArg.Y);
  const kept = address(p, ActivationArg.KEPT);
  const n = int(p, ActivationArg.N);
  const from = first((n + 31) >> 5) << 5;
  const to = min(last((n + 31) >> 5) << 5, n);
  forwardOf(int(p, ActivationArg.KIND), x, y, kept, int(p, ActivationArg.KEEP), from, to, address(p, ActivationArg.TABLE));
}

export function activationBackward(p: usize): void {
  const kept = address(p, ActivationBackwardArg.KEPT);
  const dy = address(p, ActivationBackwardArg.DY);
  const dx = address(p, ActivationBackwardArg.DX);
  const n = int(p, ActivationBackwardArg.N);
  const from = first((n + 31) >> 5) << 5;
  const to = min(last((n + 31) >> 5) << 5, n);
  const keep = int(p, ActivationBackwardArg.KEEP);
  backwardOf(int(p, ActivationBackwardArg.KIND), kept, dy, dx, keep, from, to, address(p, ActivationBackwardArg.TABLE));
}
