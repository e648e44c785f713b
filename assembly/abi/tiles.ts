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

/** Block sizes of products over coded weights (kernels/codedgemm.ts), in the scratch of the f32 product. */
export const enum Whole {
  /** Rows of A and columns of B that one pass works on. */
  Rows = 64,
  Columns = 256,
  /** Numbers of a row that are rounded together: so many products of 14 bits with 8 (or 11) fit into 32 bits, of 14 with 12 half as many. */
  Depth = 256,
  Depth12 = 128,
  /** Bytes from row to row of rounded A: eight numbers over 256, so that a column of it does not fall into one cache set. */
  Row = 528,
  /** From the high bytes of a row to its low ones, where 14 bits are two bytes (kernels/bytedots.ts). */
  LowRow = 264,
  /**
   * Bytes that a product uses, all below Gemm.ScratchBytes:
   *
   *     0              131072       164864        165120           166144      170240   170304         172352    173376        174400
   *     | packed B     | rounded A  | row factors | column factors | narrow    | start  | decoded rows | units   | column sums |
   *     | 256·256 i16  | 64 rows    | 64 f32      | 256 f32        | 64·16 f32 | 16 f32 | 4 · 256 i16  | 256 f32 | 256 i32     |
   */
  RoundedOffset = 131072,
  FactorsOffset = 164864,
  ColumnsOffset = 165120,
  NarrowOffset = 166144,
  StartOffset = 170240,
  DecodedOffset = 170304,
  UnitsOffset = 172352,
  SumsOffset = 173376,
  /** From a column's factor to its sum. */
  ToSums = 8256,
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
