/** Squeeze-excite. */
import { Keep } from '../keep.ts';
import { reads, rowsKept, size, takesScratch, whole, writes } from '../bounds.ts';

/** GateBackwardG: one decoded group. */
export function gateScratch(): number {
  return 256;
}

/**
 * Gate: y[B,P,C] = x[B,P,C] · g[B,C]. Y may equal X unless KEEP = Value. KEEP = Group4, Group8 (in GROUPS groups a row): KEPT gets x so coded.
 */
export const enum GateArg {
  X,
  G,
  Y,
  KEPT,
  BATCH,
  P,
  C,
  KEEP,
  GROUPS,
}
export function gate(): void {
  const b = size(GateArg.BATCH);
  const c = size(GateArg.C);
  const rows = b * size(GateArg.P);
  const keep = whole(GateArg.KEEP);
  reads(GateArg.X, 4 * rows * c);
  reads(GateArg.G, 4 * b * c);
  writes(GateArg.Y, 4 * rows * c);
  if (keep !== Keep.Nothing) {
    const bytes = rowsKept(keep, rows, c, GateArg.GROUPS);
    // As in activations.
    if (keep !== Keep.Value) writes(GateArg.KEPT, bytes);
  }
}

/** GateBackwardG: dg[B,C] = Σ_p dy·x, x from KEPT. (dx is Gate of dy.) */
export const enum GateBackwardGArg {
  DY,
  KEPT,
  DG,
  BATCH,
  P,
  C,
  KEEP,
  GROUPS,
}
export function gateBackwardG(): void {
  const b = size(GateBackwardGArg.BATCH);
  const c = size(GateBackwardGArg.C);
  const rows = b * size(GateBackwardGArg.P);
  const keep = whole(GateBackwardGArg.KEEP);
  reads(GateBackwardGArg.DY, 4 * rows * c);
  reads(GateBackwardGArg.KEPT, rowsKept(keep, rows, c, GateBackwardGArg.GROUPS));
  writes(GateBackwardGArg.DG, 4 * b * c);
  takesScratch(gateScratch());
  // One decoded group: the compiler's are of 64 channels at most.
  if (keep === Keep.Group8) takesScratch((4 * c) / whole(GateBackwardGArg.GROUPS));
}
