/**
 * The engine's operators and the names of their arguments: the contract between `src/ops` (which writes instructions) and
 * `assembly/kernels` (which reads them). One instruction is
 *
 *     word 0   op
 *     word 1   length in words, header included
 *     word 2   node id (for error messages)
 *     word 3   1: all threads meet before this instruction (src/plan/barriers.ts), 0: no need to
 *     word 4…  arguments, i32 or f32 bits, in the order of the op's own enum below
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
}

export const enum Instruction {
  Op = 0,
  Words = 1,
  Node = 2,
  Barrier = 3,
  Arguments = 4,
}

/**
 * Linear: y[M,N] = x[M,K] · w[N,K]ᵀ + b[N]. B may be 0. ENCODING, here and wherever frozen weights are read: how W is stored
 * (abi/weights.ts); 0 is f32.
 */
export const enum LinearArg { X, W, B, Y, M, N, K, ENCODING }
/** LinearBackwardX: dx[M,K] = dy[M,N] · w[N,K] + acc[M,K]. ACC may be 0 or equal DX. */
export const enum LinearBackwardXArg { DY, W, ACC, DX, M, N, K, ENCODING }
/** LinearBackwardW: dw[N,K] += dy[M,N]ᵀ · x[M,K]. */
export const enum LinearBackwardWArg { DY, X, DW, M, N, K }
/** BiasBackward: db[N] += Σ_m dy[m,N]. */
export const enum BiasBackwardArg { DY, DB, M, N }

/**
 * Conv: x[B,H,W,C] (NHWC), w[O,R,S,C], b[O] or 0, y[B,OH,OW,O]. TOP and LEFT are the zero padding before the first row and column;
 * padding after the last is whatever OH and OW imply. One STRIDE for both axes. PIXELS: most of them in a tile (abi/tiles.ts).
 */
export const enum ConvArg { X, W, B, Y, BATCH, H, WIDTH, C, OH, OW, O, R, S, STRIDE, TOP, LEFT, ENCODING, PIXELS }
/** ConvBackwardX: dx[B,H,W,C] = convᵀ(dy[B,OH,OW,O], w). */
export const enum ConvBackwardXArg { DY, W, DX, BATCH, H, WIDTH, C, OH, OW, O, R, S, STRIDE, TOP, LEFT, ENCODING, PIXELS }
/** ConvBackwardW: dw[O,R,S,C] += Σ dy · patches(x). */
export const enum ConvBackwardWArg { DY, X, DW, BATCH, H, WIDTH, C, OH, OW, O, R, S, STRIDE, TOP, LEFT, PIXELS }
/** Depthwise: w[R,S,C], one filter a channel; otherwise as Conv with O = C. */
export const enum DepthwiseArg { X, W, B, Y, BATCH, H, WIDTH, C, OH, OW, R, S, STRIDE, TOP, LEFT }
export const enum DepthwiseBackwardXArg { DY, W, DX, BATCH, H, WIDTH, C, OH, OW, R, S, STRIDE, TOP, LEFT }
/** DepthwiseBackwardW: dw[R,S,C] += Σ dy · x. */
export const enum DepthwiseBackwardWArg { DY, X, DW, BATCH, H, WIDTH, C, OH, OW, R, S, STRIDE, TOP, LEFT }
/** Pool: y[B,C] = mean over positions FIRST … FIRST+COUNT-1 of x[B,P,C]. COUNT = 1 takes one token, unchanged. */
export const enum PoolArg { X, Y, BATCH, P, C, FIRST, COUNT }
/** PoolBackward: dx[B,P,C] = dy[B,C]/COUNT in the pooled positions, + acc[B,P,C]; 0 elsewhere. ACC may be 0 or equal DX. */
export const enum PoolBackwardArg { DY, ACC, DX, BATCH, P, C, FIRST, COUNT }

/** The element-wise functions. Values appear in programs. */
export const enum Kind { Relu = 1, Relu6, LeakyRelu, HardSigmoid, Sigmoid, Tanh, HardSwish, Silu, Gelu, GeluTanh }
/** What an operator keeps for its backward. */
export const enum Keep { Nothing = 0, Value = 1, Bit1 = 2, Code4 = 3, Group4 = 4, Group8 = 5, Signed4 = 6, Code8 = 7 }
/**
 * Activation: y[N] = f(x[N]); Y may equal X unless KEEP = Value (then x itself is what stays).
 * KEEP = Bit1: KEPT gets ⌈N/16⌉ u16; bit i of a u16 is 1 where f′ takes the larger of its two slopes at element i of its 16.
 * KEEP = Code4: KEPT gets ⌈N/32⌉·16 bytes; byte i of a 16-byte block holds the code of element i (low nibble) and i+16 (high nibble); past N the code of 0.
 * KEEP = Code8 (smooth functions): KEPT gets N bytes, code = round(128·f′ + 64), clamped; f′ decodes as code/128 - ½, so 0 and 1 are exact.
 * TABLE: address of a Codebook record (abi/codebook.ts) where KEEP = Code4, else 0.
 */
export const enum ActivationArg { X, Y, KEPT, KIND, KEEP, N, TABLE }
/** ActivationBackward: dx[N] = f′ · dy[N], f′ from x (Value), the bit, or TABLE's level of the code. DX may equal DY. */
export const enum ActivationBackwardArg { KEPT, DY, DX, KIND, KEEP, N, TABLE }
/** Add: y[N] = SCALE·(a[N] + b[N]). Y may equal A or B. SCALE is f32. */
export const enum AddArg { A, B, Y, N, SCALE }

/**
 * LayerNorm: y[M,C] = x̂·gamma + beta, x̂ = (x-mean)·rstd by row, biased variance, EPS f32. Y may equal X.
 * KEEP = Value: XHAT gets x̂ f32 [M,C]. KEEP = Group4: XHAT gets rows of `group4RowBytes(C)`; Group8: a group8 tensor in GROUPS
 * groups a row (abi/groups.ts). RSTD gets f32 [M]. Both 0 where KEEP = Nothing.
 */
export const enum LayerNormArg { X, GAMMA, BETA, Y, XHAT, RSTD, M, C, EPS, KEEP, GROUPS }
/** LayerNormBackward: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)) + acc, g = dy·gamma. ACC may be 0 or equal DX; DX may equal DY. */
export const enum LayerNormBackwardArg { XHAT, RSTD, GAMMA, DY, ACC, DX, M, C, KEEP, GROUPS }
/** LayerNormBackwardW: dgamma[C] += Σ_m dy·x̂. (dbeta is BiasBackward.) */
export const enum LayerNormBackwardWArg { XHAT, DY, DGAMMA, M, C, KEEP, GROUPS }
/**
 * Attention: o = softmax(q·kᵀ·SCALE)·v for each of HEADS heads; q, k, v, o are [B,T,C], a head is C/HEADS neighbouring channels.
 * KEEP = Group8: KQ, KK, KV get int8 copies of q, k, v: `group8Bytes(B·T, C, HEADS)` each (abi/groups.ts), one group a head and row.
 * KEEP = Signed4: the same in 4 bits. KP (0: absent) gets the probabilities as softmax4.
 * KEEP = Value or Nothing: KQ, KK, KV are 0 (with Value the operands themselves stay alive). O may equal Q unless KEEP = Value.
 * TABLE: 0, or f32 [(2·WH-1)·(2·WW-1), HEADS], the relative position bias of windows of T = WH·WW positions, row by row: to the score of
 * positions i → j is added row (iy-jy+WH-1)·(2·WW-1) + (ix-jx+WW-1). B then counts windows, ROWS·COLUMNS a picture, row by row. Of a map rolled
 * by SY, SX the last row of windows holds two regions (its first WH-SY lines, and the rest), the last column likewise; -100 between them.
 * QUERIES: most rows of scores at a time; of probabilities that are kept, backward's are forward's.
 */
export const enum AttentionArg { Q, K, V, O, KQ, KK, KV, BATCH, T, C, HEADS, SCALE, KEEP, TABLE, WH, WW, ROWS, COLUMNS, SY, SX, KP, QUERIES }
/**
 * AttentionBackward: dq, dk, dv [B,T,C] from do [B,T,C]; the probabilities are KP's or, where that is 0, recomputed from Q, K as
 * they were kept, with row sums of their own. DQ may equal DO. With KP TABLE is 0.
 * DTABLE (f32, as TABLE) += Σ of the scores' gradients, or 0.
 */
export const enum AttentionBackwardArg {
  Q, K, V, DO, DQ, DK, DV, BATCH, T, C, HEADS, SCALE, KEEP, TABLE, DTABLE, WH, WW, ROWS, COLUMNS, SY, SX, KP, QUERIES
}

/**
 * Embed: y[B,T,C]: the class token, the distillation token (each [C], or 0: absent), then x[B,P,C]; plus pos[T,C]. T = P + tokens present.
 * POSROWS = T, or P where the position embedding has no rows for the extra tokens.
 */
export const enum EmbedArg { X, CLS, DIST, POS, Y, BATCH, P, C, POSROWS }
/** EmbedBackward: dx[B,P,C] = dy's patch rows; DCLS, DDIST, DPOS += (each may be 0, DX too). T as above; HASCLS, HASDIST are 0 or 1. */
export const enum EmbedBackwardArg { DY, DX, DCLS, DDIST, DPOS, BATCH, P, C, POSROWS, HASCLS, HASDIST }

/**
 * Pixels: y[B,H,W,3] f32 = x[B,SH,SW,3]·scale[c] + shift[c]; TABLE is f32 scale[3] then shift[3]. x is u8, or f32 with AUGMENT.Float.
 * AUGMENT: bits below. SAMPLES: u32[B], the counter of each picture in its random stream; STATE for the seed.
 * Without AUGMENT.Crop the centre H×W of SH×SW is taken. With it the window is shifted by up to PAD pixels each way, edge pixels repeated.
 */
export const enum PixelsArg { X, Y, TABLE, SAMPLES, STATE, BATCH, SH, SW, H, WIDTH, AUGMENT, PAD }
export const enum Augment { None = 0, Crop = 1, Flip = 2, Float = 4 }
/**
 * CrossEntropy with label smoothing: adds loss, correct and count to STATE; dlogits[B,N] = LossScale·(softmax - target), or DLOGITS = 0.
 * labels i32[B]; -1 marks a padding row: no loss, zero gradient (its logits must be finite all the same).
 * LOSSES f32[B], CHOICES i32[B] (the arg max) are always written.
 */
export const enum CrossEntropyArg { X, LABELS, DLOGITS, LOSSES, CHOICES, STATE, BATCH, N }

/** SumSquares: STATE.SumSquares += Σ g², f64, in blocks of 4,096 elements in index order. */
export const enum SumSquaresArg { G, N, STATE }
/** Schedule: norm and clip factor from SumSquares (then 0), learning rate for this step, beta powers, Step += 1. */
export const enum ScheduleArg { STATE }
/** AdamW: decoupled decay where DECAY = 1; g is scaled by ClipFactor, then zeroed. */
export const enum AdamWArg { P, G, MEAN, VARIANCE, N, STATE, DECAY }
/** Sgd with momentum (PyTorch's convention, decoupled decay where DECAY = 1); g is scaled by ClipFactor, then zeroed. */
export const enum SgdArg { P, G, MOMENTUM, N, STATE, DECAY }

/**
 * FoldBatchNorm, in place: f = gamma/√(var+EPS); w ·= f for its channel, b = beta + (b - mean)·f.
 * w is [O, K] (DEPTHWISE = 0) or [K, O] (DEPTHWISE = 1). GAMMA may be 0 (ones), BETA too (zeros). MEAN and VAR both 0: f = gamma, a layer scale.
 * Of a coded weight (ENCODING) the scales are multiplied.
 */
export const enum FoldBatchNormArg { W, B, GAMMA, BETA, MEAN, VAR, O, K, EPS, DEPTHWISE, ENCODING }
/**
 * ResizePositions: y[PREFIX + H·W, C] from x[PREFIX + H0·W0, C]: PREFIX rows copied, the grid resampled bicubically
 * (a = -0.75, half-pixel centres; ANTIALIAS = 1 widens the filter when shrinking and uses a = -0.5, as PyTorch does).
 */
export const enum ResizePositionsArg { X, Y, PREFIX, H0, W0, H, WIDTH, C, ANTIALIAS }
/** Normal: y[N] = SCALE·z, z standard normal numbers of stream (Initial, NUMBER) under STATE's seed, one a counter from 0. */
export const enum NormalArg { Y, N, NUMBER, SCALE, STATE }

/** BroadcastAdd: y[B,N] = x[B,N] + p[N]. Y may equal X. */
export const enum BroadcastAddArg { X, P, Y, BATCH, N }
/** SumBatch: y[N] = Σ_b x[B,N], in order of b. */
export const enum SumBatchArg { X, Y, BATCH, N }
/** ChannelPool: y[B,COUNT,C/K] = means of K neighbouring channels of x[B,P,C], positions FIRST … FIRST+COUNT-1. */
export const enum ChannelPoolArg { X, Y, BATCH, P, C, K, FIRST, COUNT }
/** ChannelPoolBackward: dx[B,P,C] = dy/K spread over its K channels, 0 at other positions, + acc. ACC may be 0 or equal DX. */
export const enum ChannelPoolBackwardArg { DY, ACC, DX, BATCH, P, C, K, FIRST, COUNT }
/** AdaptivePool: y[B,OH,OW,C] = means over rows ⌊iH/OH⌋ … ⌈(i+1)H/OH⌉-1 and the like columns of x[B,H,W,C] (PyTorch's adaptive_avg_pool2d). */
export const enum AdaptivePoolArg { X, Y, BATCH, H, WIDTH, C, OH, OW }
/** AdaptivePoolBackward: dx[B,H,W,C] gathers from the windows that hold each pixel. */
export const enum AdaptivePoolBackwardArg { DY, DX, BATCH, H, WIDTH, C, OH, OW }

/**
 * Quantize: x[ROWS,C] as group8 (abi/groups.ts) in GROUPS groups a row where BITS = 8, as group4 rows where BITS = 4 (GROUPS is not read;
 * a NaN or an infinity makes its whole row NaN).
 */
export const enum QuantizeArg { X, Y, ROWS, C, GROUPS, BITS }
/** Dequantize: y[ROWS,C] from it. */
export const enum DequantizeArg { X, Y, ROWS, C, GROUPS, BITS }

/**
 * MaxPool: y[B,OH,OW,C] = the largest of the R×S taps of x[B,H,W,C]; taps outside the picture count as -∞. Window as Conv's, R·S ≤ 16.
 * KEPT (0: absent) gets ⌈C/32⌉·16 bytes for each output position, in Code4's blocks: the tap r·S + s that y came from, the first of equals;
 * past C 0.
 */
export const enum MaxPoolArg { X, Y, KEPT, BATCH, H, WIDTH, C, OH, OW, R, S, STRIDE, TOP, LEFT }
/** MaxPoolBackward: dx[B,H,W,C] = Σ dy over the outputs that came from the pixel. */
export const enum MaxPoolBackwardArg { DY, KEPT, DX, BATCH, H, WIDTH, C, OH, OW, R, S, STRIDE, TOP, LEFT }

/**
 * WindowPartition: y[B·ROWS·COLUMNS, WH·WW, C], the windows of x[B,H,W,C] (rolled by SY, SX), row by row. Position (py, px) of the ROWS·WH ×
 * COLUMNS·WW map that they cover is x at ((py+SY) mod MODH, (px+SX) mod MODW); zero where py ≥ MODH, px ≥ MODW or that lies outside of x.
 * So MODH = H rolls before padding, MODH = ROWS·WH after. MERGE = 1: positions of a window stand column by column (Swin's patch merging).
 */
export const enum WindowPartitionArg { X, Y, BATCH, H, WIDTH, C, WH, WW, ROWS, COLUMNS, SY, SX, MODH, MODW, MERGE }
/** WindowReverse: y[B,H,W,C] from windows x: each position back to where it was, padding dropped. The transpose of WindowPartition. */
export const enum WindowReverseArg { X, Y, BATCH, H, WIDTH, C, WH, WW, ROWS, COLUMNS, SY, SX, MODH, MODW, MERGE }

/**
 * Gate: y[B,P,C] = x[B,P,C] · g[B,C]. Y may equal X unless KEEP = Value. KEEP = Group4, Group8 (in GROUPS groups a row): KEPT gets x so coded.
 */
export const enum GateArg { X, G, Y, KEPT, BATCH, P, C, KEEP, GROUPS }
/** GateBackwardG: dg[B,C] = Σ_p dy·x, x from KEPT. (dx is Gate of dy.) */
export const enum GateBackwardGArg { DY, KEPT, DG, BATCH, P, C, KEEP, GROUPS }

/**
 * Drop: y[B,N] = x[B,N]·SCALE where a mask is 1, else 0. PATH = 1: one mask a picture. A mask is 0 where 16 random bits are below THRESHOLD; SCALE
 * (f32) is 65536/(65536 - THRESHOLD). SAMPLES u32[B]: the counter of each picture in its random stream; NUMBER tells layers apart. Y may equal X.
 */
export const enum DropArg { X, Y, SAMPLES, STATE, BATCH, N, THRESHOLD, SCALE, NUMBER, PATH }

/** GroupStats: stats[B,GROUPS,2] = mean and 1/√(variance + EPS) of each group of neighbouring channels of x[B,P,C], biased variance, EPS f32. */
export const enum GroupStatsArg { X, STATS, BATCH, P, C, GROUPS, EPS }
/**
 * GroupNorm: y = x̂·gamma + beta, x̂ = (x-mean)·rstd by STATS. Y may equal X. XHAT (0: absent) gets x̂ as LayerNorm's by KEEP, a row for each
 * position, CODES groups a row where that is Group8.
 */
export const enum GroupNormArg { X, STATS, GAMMA, BETA, Y, XHAT, BATCH, P, C, GROUPS, KEEP, CODES }
/** GroupSums: sums[B,C] = Σ_p dy, products[B,C] = Σ_p dy·x̂. */
export const enum GroupSumsArg { DY, XHAT, SUMS, PRODUCTS, BATCH, P, C, KEEP, CODES }
/** GroupNormBackward: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)), g = dy·gamma, means over the group by SUMS and PRODUCTS. DX may equal DY. */
export const enum GroupNormBackwardArg { DY, XHAT, STATS, GAMMA, SUMS, PRODUCTS, DX, BATCH, P, C, GROUPS, KEEP, CODES }
