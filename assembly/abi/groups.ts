/**
 * Group-wise quantisation of kept rows. Both compilers read these sizes.
 *
 * group4 (asymmetric, 16 levels, groups of 64 channels within a row, the last one shorter):
 *     row = ⌈C/64⌉ headers of 4 bytes (bf16 minimum, then bf16 step), then ⌈C/32⌉ blocks of 16 bytes
 *     (low nibble = element i of 32, high nibble = element i+16); value = minimum + step·code.
 *     The minimum is rounded down, the step up; codes past C are 0. A constant group has step 0. NaN in a group makes all of it NaN.
 *
 * group8 (symmetric int8, one group = one head of one row):
 *     rows·C int8 codes, padded to 16 bytes, then rows·HEADS bf16 scales; value = scale·code, scale = max|x|/127, rounded up.
 *     Scale 0 where every |x| < 1e-30; a NaN or infinity makes the whole group NaN.
 */
export const enum Group {
  Size4 = 64,
}
