/** Functions of single elements. */
import { Codebook } from '../codebook.ts';
import { Keep } from '../keep.ts';
import { hasCode8, isPiecewise, LAST_KIND } from '../../generated/kinds.ts';
import { bit1Bytes, code4Bytes } from '../sizes.ts';
import { between, demand, reads, size, whole, writes } from '../bounds.ts';

/** What an activation of that kind may keep of n elements, in bytes: a bit where f′ has two values, else codes. */
function slopeBytes(kind: number, keep: number, n: number): number {
  demand(keep === Keep.Value || (isPiecewise(kind) ? keep === Keep.Bit1 : keep === Keep.Code4 || (keep === Keep.Code8 && hasCode8(kind))));
  return keep === Keep.Bit1 ? bit1Bytes(n) : keep === Keep.Code4 ? code4Bytes(n) : keep === Keep.Code8 ? n : 4 * n;
}

/**
 * Activation: y[N] = f(x[N]); Y may equal X unless KEEP = Value (then x itself is what stays).
 * KEEP = Bit1: KEPT gets ⌈N/16⌉ u16; bit i of a u16 is 1 where f′ takes the larger of its two slopes at element i of its 16.
 * KEEP = Code4: KEPT gets ⌈N/32⌉·16 bytes; byte i of a 16-byte block holds the code of element i (low nibble) and i+16 (high nibble); past N the code of 0.
 * KEEP = Code8 (smooth functions): KEPT gets N bytes, code = round(128·f′ + 64), clamped; f′ decodes as code/128 - ½, so 0 and 1 are exact.
 * TABLE: address of a Codebook record (abi/codebook.ts) where KEEP = Code4, else 0.
 */
export const enum ActivationArg {
  X,
  Y,
  KEPT,
  KIND,
  KEEP,
  N,
  TABLE,
}
export function activation(): void {
  const n = size(ActivationArg.N);
  const kind = between(ActivationArg.KIND, 1, LAST_KIND);
  const keep = whole(ActivationArg.KEEP);
  reads(ActivationArg.X, 4 * n);
  writes(ActivationArg.Y, 4 * n);
  if (keep !== Keep.Nothing) {
    const bytes = slopeBytes(kind, keep, n);
    // Where the input itself is what stays, nothing is written.
    if (keep !== Keep.Value) writes(ActivationArg.KEPT, bytes);
  }
  if (keep === Keep.Code4) reads(ActivationArg.TABLE, Codebook.Bytes);
}

/** ActivationBackward: dx[N] = f′ · dy[N], f′ from x (Value), the bit, or TABLE's level of the code. DX may equal DY. */
export const enum ActivationBackwardArg {
  KEPT,
  DY,
  DX,
  KIND,
  KEEP,
  N,
  TABLE,
}
export function activationBackward(): void {
  const n = size(ActivationBackwardArg.N);
  const kind = between(ActivationBackwardArg.KIND, 1, LAST_KIND);
  const keep = whole(ActivationBackwardArg.KEEP);
  reads(ActivationBackwardArg.KEPT, slopeBytes(kind, keep, n));
  reads(ActivationBackwardArg.DY, 4 * n);
  writes(ActivationBackwardArg.DX, 4 * n);
  if (keep === Keep.Code4) reads(ActivationBackwardArg.TABLE, Codebook.Bytes);
}

/** Add: y[N] = SCALE·(a[N] + b[N]). Y may equal A or B. SCALE is f32. */
export const enum AddArg {
  A,
  B,
  Y,
  N,
  SCALE,
}
export function add(): void {
  const n = size(AddArg.N);
  reads(AddArg.A, 4 * n);
  reads(AddArg.B, 4 * n);
  writes(AddArg.Y, 4 * n);
}
