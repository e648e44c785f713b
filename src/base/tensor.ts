/** Element types and shapes, as weights files name them. */

/**
 * Bytes of one element of every type that a safetensors file may hold, in the order in which its writers rank the types
 * (sub-byte types are left out: nothing here reads them).
 */
const bytesOf = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type Dtype = keyof typeof bytesOf;

export const dtypes = Object.keys(bytesOf) as Dtype[];

export type Shape = readonly number[];

/** Bytes of one element. */
export function dtypeBytes(dtype: Dtype): number {
  return bytesOf[dtype];
}

/** Number of elements; 1 for a scalar (no axes). NaN where a length is not a whole number ≥ 0 or the product passes 2^53. */
export function elements(shape: Shape): number {
  let n = 1;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) return Number.NaN;
    n *= length;
    if (!Number.isSafeInteger(n)) return Number.NaN;
  }
  return n;
}

/** `[768, 3, 16, 16]`, as shapes stand in every message. */
export function shapeText(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}
