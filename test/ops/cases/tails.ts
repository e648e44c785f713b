/** Sizes equal to, below, above and multiples of the vectors, blocks and tiles of the kernels (4, 16, 32, 64). */
export const TAILS: readonly number[] = [1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65];

/** Zeros of both signs, subnormals, large and small numbers side by side, in another order for every `seed`. */
export const specials = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => [0, -0, 1e-40, -1e-45, 3e8, -2e8, 1e-8, 1][(i * 5 + seed) % 8]!);
