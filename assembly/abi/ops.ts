/**
 * The engine's operators: the contract between `src/ops` (which writes instructions) and `assembly/kernels` (which reads them). What each one
 * computes, the names of its arguments and how many bytes lie behind them (bounds.ts) stand in ops/, a file for each file of `src/ops`. One
 * instruction is
 *
 *     word 0   op
 *     word 1   length in words, header included
 *     word 2   node id (for error messages)
 *     word 3   1: all threads meet before this instruction (src/plan/barriers.ts), 0: no need to
 *     word 4…  arguments, i32 or f32 bits, in the order of the op's own enum
 *
 * Addresses are byte offsets into the arena, 16-byte aligned; 0 means absent. Shapes are row-major: `y[M,N]` has N contiguous.
 * Everything is f32 unless said. `+=` marks an accumulator, `=` an overwritten output.
 */
export const enum Op {
  // dense
  Linear = 1,
  LinearBackwardX,
  LinearBackwardW,
  BiasBackward,
  // spatial
  Conv,
  ConvBackwardX,
  ConvBackwardW,
  Depthwise,
  DepthwiseBackwardX,
  DepthwiseBackwardW,
  Pool,
  PoolBackward,
  // element-wise
  Activation,
  ActivationBackward,
  Add,
  // normalisation and attention
  LayerNorm,
  LayerNormBackward,
  LayerNormBackwardW,
  Attention,
  AttentionBackward,
  // tokens
  Embed,
  EmbedBackward,
  // ends of the network
  Pixels,
  CrossEntropy,
  // update
  SumSquares,
  Schedule,
  AdamW,
  Sgd,
  // init
  FoldBatchNorm,
  ResizePositions,
  Normal,
  // modules
  BroadcastAdd,
  SumBatch,
  ChannelPool,
  ChannelPoolBackward,
  AdaptivePool,
  AdaptivePoolBackward,
  // kept inputs of layers that learn
  Quantize,
  Dequantize,
  MaxPool,
  MaxPoolBackward,
  // windows of a map
  WindowPartition,
  WindowReverse,
  // squeeze-excite
  Gate,
  GateBackwardG,
  // regularisation
  Drop,
  // group norm
  GroupStats,
  GroupNorm,
  GroupSums,
  GroupNormBackward,
  // relative learning rates
  Observe,
  SetRates,
  // losses of other tasks
  BinaryCrossEntropy,
  Huber,
  // a factor and a number for each channel
  Affine,
  // groups of channels, spaced taps
  GroupConv,
  GroupConvBackwardX,
  GroupConvBackwardW,
  // means of windows
  AveragePool,
  AveragePoolBackward,
  // parts of an axis
  Concat,
  Slice,
  SliceBackward,
  // products
  Multiply,
  // axes in another order
  Rearrange,
  // root mean squares
  RmsNorm,
  RmsNormBackward,
  // global response norm
  ResponseStats,
  ResponseNorm,
  ResponseNormBackward,
  // attention of any shape and bias
  CrossAttention,
  CrossAttentionBackward,
  // maps of another size
  Resize,
  ResizeBackward,
  // rotary positions
  Rotary,
  RotaryTable,
  // a batch norm that stands alone
  BatchNormTerms,
  // how far a picture is from what was learnt
  Distance,
  // filters that stand for several
  MergeBranch,
  // pictures changed at random
  Distort,
  // weights that stay in a file
  PlaceWeight,
  StoreWeight,
  FetchWeight,
  AwaitWeight,
  // attention by cosines
  PositionTable,
  HeadFactors,
  // filters of mean 0 and deviation 1
  Standardise,
  // two pictures in one
  Mix,
  SoftCrossEntropy,
  // learning beside others
  Proximal,
  // waves by place
  WaveTable,
  // New operators go here, at the end.
}

export const enum Instruction {
  Op = 0,
  Words = 1,
  Node = 2,
  Barrier = 3,
  Arguments = 4,
}
