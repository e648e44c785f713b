/**
 * Group-wise quantisation of kept rows. Both compilers read these sizes.
 *
 * group4 (asymmetric, 16 levels, groups of 64 channels within a row, the last one shorter):
 *     row = ⌈C/64⌉ headers of 4 bytes (bf16 minimum, then bf16 step), then ⌈C/32⌉ blocks of 16 bytes
 *     (low nibble = element i of 32, high nibble = element i+16); value = minimum + step·code.
 *     The minimum is rounded down, the step up; codes past C are 0. A constant group has step 0. NaN or infinity in a group makes all of it NaN.
 *
 * group8 (symmetric int8, one group = one head of one row):
 *     rows·C int8 codes, padded to 16 bytes, then rows·HEADS bf16 scales; value = scale·code, scale = max|x|/127, rounded up.
 *     Scale 0 where every |x| < 1e-30; a NaN or infinity makes the whole group NaN.
 *
 * signed4 (symmetric, 16 levels, groups as group8's):
 *     for each group ⌈D/32⌉ blocks of 16 bytes (nibbles as group4's), then for each a bf16 step; value = step·(code - 7.5),
 *     step = max|x|/7.5, rounded up; codes past D are 0. Step 0 and NaN as in group8.
 *
 * softmax4 (rows of T probabilities, each row by itself): p = code²/Σ code² over the row, code = round(15·√(e/max e)), e the exponentials that p is
 *     the share of. The matrix [T,T] of a head stands in tiles of `tileRows(T)` rows: the tile's codes one after the other (nibbles as group4's),
 *     filled up with 0 to whole blocks of 16 bytes; matrices in the order of [B,HEADS]. A row of nothing but 0 decodes as NaN: it held one.
 */
export const enum Group {
  Size4 = 64,
}
