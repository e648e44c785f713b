/** Block sizes of the dense kernels, known to both sides because the host reserves their scratch (abi/ops/). */
export const enum Gemm {
  /** Rows of A, columns of B and depth that one pass works on. */
  Rows = 64,
  Columns = 128,
  Depth = 256,
  /** Columns of one packed panel. */
  Panel = 16,
  /**
   * Bytes that a gemm* function uses:
   *
   *     0              131072          197632          201728   201792
   *     | packed B     | transposed A  | tile of a     | start  |
   *     | 256·128 f32  | 64·260 f32    | narrow panel  | 16 f32 |
   */
  TransposedOffset = 131072,
  TileOffset = 197632,
  StartOffset = 201728,
  ScratchBytes = 201792,
}

/** Tiles that convolution gathers into, behind the GEMM's own scratch. */
export const enum Patch {
  /** Pixels and columns of a tile, where nothing else is said: at most 256 KiB. */
  Rows = 256,
  Columns = 256,
  /** ConvBackwardX with a stride: pixels of its tile at most, and floats of the tile that holds its result, for each pixel of a tile. */
  StridedRows = 128,
  StridedFloats = 128,
}

/** Rows of attention scores that are worked on at a time, where nothing else is said. */
export const enum Scores {
  Rows = 64,
}
