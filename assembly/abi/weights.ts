/**
 * Frozen weights in fewer bits. Both compilers read this; a value's Type names its encoding, and instructions that read weights carry it.
 *
 * A weight is O output channels of K numbers each (K = inputs, or R·S·C of a filter), in the order of the f32 value w[O,…]. Symmetric: a zero
 * weight stays zero. Scales are f32, so a batch norm folds into them without another rounding. `up16` rounds up to 16 bytes.
 *
 *     Int8    | O scales, up16 | O·K codes, up16 |                    w = scale[o]·code, code -127 … 127, scale = max|w[o]|/127
 *
 *     Int4    | O·G scales, up16 | O rows of ⌈K/32⌉ blocks |          w = scale[o,g]·(code - 8), code 0 … 15
 *                     G = ⌈K/64⌉ groups of 64 along K (the last one shorter). A block holds 32 codes in 16 bytes: byte i has element i in
 *                     its low half and element i + 16 in its high half. Past K the code is 8, which is zero. A scale has the sign that makes
 *                     the number furthest from zero the code 0, so that all sixteen codes are of use.
 *
 *     Int12   | O scales, up16 | O rows of ⌈K/16⌉ blocks, up16 |      w = scale[o]·code, code -2047 … 2047, scale = max|w[o]|/2047
 *                     A block holds 16 codes in 24 bytes: first code >> 4 of each, a signed byte; then code & 15, byte 16 + i with element i
 *                     in its low half and element i + 8 in its high half. Past K the code is 0.
 *
 *     Int8By7 | as Int8 |                                             what it is multiplied with is rounded to 7 bits, where all others ask for 14
 *
 * A channel or group in which every |w| < 1e-30 has scale 0. Codes are not each the nearest: their errors sum to nothing, over a channel or
 * group (kernels/encode.ts).
 */
export const enum Encoding {
  F32 = 0,
  Int8 = 1,
  Int4 = 2,
  Int12 = 3,
  Int8By7 = 4,
}

export const enum Coded {
  /** Numbers of an Int4 group, and of a block. */
  Group4 = 64,
  Block4 = 32,
  /** Bits, with the sign, of the numbers that coded weights are multiplied with; where the weight asks for less, of those. */
  Bits = 14,
  Bits7 = 7,
  /** Numbers of an Int12 block, and its bytes. */
  Block12 = 16,
  Block12Bytes = 24,
}
