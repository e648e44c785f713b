import { mayWrite, reads, size, takesState, whole, writes } from '../bounds.ts';

/**
 * Huber's loss of N numbers, or with DELTA = 0 their squares: adds loss and count to STATE; dlogits[B,N], or DLOGITS = 0.
 * targets f32[B,N] in their own units; a padding row begins with the bits 0xffffffff. scale f32[2,N]: means, then standard deviations, by which
 * targets are standardised. LOSSES f32[B] and ANSWERS f32[B,N] (x in the targets' units) are always written. DELTA: f32 bits.
 */
export const enum HuberArg {
  X,
  TARGETS,
  SCALE,
  DLOGITS,
  LOSSES,
  ANSWERS,
  STATE,
  BATCH,
  N,
  DELTA,
}
export function huber(): void {
  const b = size(HuberArg.BATCH);
  const n = size(HuberArg.N);
  reads(HuberArg.X, 4 * b * n);
  reads(HuberArg.TARGETS, 4 * b * n);
  reads(HuberArg.SCALE, 8 * n);
  mayWrite(HuberArg.DLOGITS, 4 * b * n);
  writes(HuberArg.LOSSES, 4 * b);
  writes(HuberArg.ANSWERS, 4 * b * n);
  takesState(HuberArg.STATE);
  whole(HuberArg.DELTA);
}
