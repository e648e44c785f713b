/** Sizes equal to, below, above and multiples of the vectors, blocks and tiles of the kernels (4, 16, 32, 64). */
export const TAILS: readonly number[] = [1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65];
