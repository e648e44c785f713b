/** What happens to parameters after a backward pass. */
import { between, mayRead, reads, size, takesState, writes } from '../bounds.ts';

/** SumSquares: STATE.SumSquares += Σ g², f64, in blocks of 4,096 elements in index order. */
export const enum SumSquaresArg {
  G,
  N,
  STATE,
}
export function sumSquares(): void {
  reads(SumSquaresArg.G, 4 * size(SumSquaresArg.N));
  takesState(SumSquaresArg.STATE);
}

/** Proximal: ANCHOR = P where STATE.Step is 0; G += MU (f32)·(P - ANCHOR). */
export const enum ProximalArg {
  P,
  G,
  ANCHOR,
  N,
  STATE,
  MU,
}
export function proximal(): void {
  const bytes = 4 * size(ProximalArg.N);
  reads(ProximalArg.P, bytes);
  writes(ProximalArg.G, bytes);
  writes(ProximalArg.ANCHOR, bytes);
  takesState(ProximalArg.STATE);
}

/** Schedule: norm and clip factor from SumSquares (then 0), learning rate for this step, beta powers, Step += 1. */
export const enum ScheduleArg {
  STATE,
}
export function schedule(): void {
  takesState(ScheduleArg.STATE);
}

/**
 * AdamW: decoupled decay where DECAY = 1; g is scaled by ClipFactor, then zeroed. SCALE[COUNT] gives numbers rates of their own, factors on
 * Rate: that of element i is SCALE[(i / INNER) mod COUNT]. 0: Rate alone.
 */
export const enum AdamWArg {
  P,
  G,
  MEAN,
  VARIANCE,
  N,
  STATE,
  DECAY,
  SCALE,
  COUNT,
  INNER,
}
export function adamW(): void {
  const bytes = 4 * size(AdamWArg.N);
  writes(AdamWArg.P, bytes);
  writes(AdamWArg.G, bytes);
  writes(AdamWArg.MEAN, bytes);
  writes(AdamWArg.VARIANCE, bytes);
  takesState(AdamWArg.STATE);
  between(AdamWArg.DECAY, 0, 1);
  mayRead(AdamWArg.SCALE, 4 * size(AdamWArg.COUNT));
  size(AdamWArg.INNER);
}

/** Sgd with momentum (PyTorch's convention, decoupled decay where DECAY = 1); g is scaled by ClipFactor, then zeroed. SCALE as AdamW's. */
export const enum SgdArg {
  P,
  G,
  MOMENTUM,
  N,
  STATE,
  DECAY,
  SCALE,
  COUNT,
  INNER,
}
export function sgd(): void {
  const bytes = 4 * size(SgdArg.N);
  writes(SgdArg.P, bytes);
  writes(SgdArg.G, bytes);
  writes(SgdArg.MOMENTUM, bytes);
  takesState(SgdArg.STATE);
  between(SgdArg.DECAY, 0, 1);
  mayRead(SgdArg.SCALE, 4 * size(SgdArg.COUNT));
  size(SgdArg.INNER);
}
