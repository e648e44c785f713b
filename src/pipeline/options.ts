/** What a program is compiled from. */

import type { Arithmetic } from '../base/arithmetic.ts';
import { InputError } from '../base/error.ts';
import type { Precision } from '../base/precision.ts';
import type { Model } from '../import/index.ts';
import type { DropoutRates } from '../network/drop.ts';
import type { MethodLike } from '../network/method.ts';
import type { KeepLike } from '../passes/keeppolicy.ts';
import type { Recompute } from '../passes/recompute.ts';
import type { Streaming } from '../passes/streaming.ts';
import type { Tiles } from '../passes/tiling/tiles.ts';
import type { Optimizer } from '../passes/update.ts';
import type { TaskSettings } from '../task/index.ts';

/** Means and covariance as the operator Distance reads them (assembly/abi/ops/distance.ts). */
export interface KnownTable {
  directions: number;
  table: Float32Array;
}

/**
 * How pictures are changed at random while learning, each part for itself; what is drawn is a function of the seed and the picture's counter alone. Turn, scale,
 * blur and erasing are of any input, colours and grey of three bytes a pixel.
 */
export interface Augmentation {
  /** The chance that two neighbours in a batch are blended, and so are their classes: for pictures, or arrays, of one class each. */
  mixup?: number;
  /** The chance that two neighbours exchange a rectangle, and their classes by its area; with `mixup` at most 1 together. */
  cutmix?: number;
  /** Up to so many pixels each way. */
  shift: number;
  /** Half of them mirrored, left to right. */
  flip: boolean;
  /** How many degrees at most, either way; 0 to 180. */
  turn?: number;
  /** Larger or smaller by at most this share; 0 to 0.5. */
  scale?: number;
  /** Share of the light that comes or goes at most; 0 to 1. */
  brightness?: number;
  /** The same of distances from the picture's mean grey; 0 to 1. */
  contrast?: number;
  /** The same of distances from each pixel's own grey; 0 to 1. */
  saturation?: number;
  /** Share of pictures that lose their colours; 0 to 1. */
  grey?: number;
  /** Share that is blurred, each more or less; 0 to 1. */
  blur?: number;
  /** Share of which a rectangle, an eighth to a half of each side, is filled with the mean; 0 to 1. */
  erase?: number;
}

/** What is compiled: a network, a method, a micro-batch. Everything else has a default, named at each. */
export interface CompileOptions {
  /** The network, as `openModelFolder` or `parseModel` reads it. */
  model: Model;
  /** Classes of the head: how many logits a picture gets. */
  classes: number;
  /** Pictures in one pass of the network: the batch of every value. */
  microBatch: number;
  /** What learns (docs/methods.md), as text or as `methodOf` reads it; `bias` where absent. */
  method?: MethodLike;
  /** What is kept for backward (docs/keep.md), as text or as `keepOf` reads it; `s2a` where absent. */
  keep?: KeepLike;
  /** Bits of frozen weights; what learns, norms, biases and what reads the picture stay f32. */
  weights?: Precision;
  /** Blocks whose forward runs again in backward, see src/passes/recompute.ts; none where absent. */
  recompute?: Recompute;
  /** Frozen weights stay in a file and pass through memory (src/passes/streaming.ts); all of them stay in memory where absent. */
  streaming?: Streaming | undefined;
  /** How much is worked on at a time. */
  tiles?: Tiles;
  /** `adamw` where absent: two moments for each learnable number; `sgd`: one. */
  optimizer?: Optimizer;
  /** FedProx's μ: each step pulls every number back to what it was before the first, as μ/2·‖w - w₀‖² in the loss would; none where absent. */
  prox?: number | undefined;
  /** Rates as fractions of what they change, measured before the first step (src/passes/rates.ts), or one for everything (where absent). */
  rates?: 'relative' | 'absolute';
  /** What the network is asked (src/task); classification where absent. */
  task?: TaskSettings | undefined;
  /** What unknown pictures are told by (src/use/known.ts): a table for the operator Distance, of so many directions. For `infer` alone. */
  known?: KnownTable | undefined;
  /** The classifier: new and zero (fine-tuning), or the checkpoint's own. */
  head?: 'new' | 'file';
  /** `infer` compiles evaluation alone: nothing is kept, nothing learns. */
  purpose?: 'train' | 'infer';
  /** The model sees (pixel · scale − mean) / std; `reversed`: the last channel first. */
  normalize?: { scale: number; mean: readonly number[]; std: readonly number[]; reversed?: true };
  /** How pictures are changed at random, in training. */
  augment?: Augmentation;
  /** What each class weighs in the loss of training, one finite number above 0 for each row of the head; all the same where absent. */
  classWeights?: readonly number[] | undefined;
  /** Share of elements left out, in training, of a transformer's embeddings, of attention's and the MLP's outputs and of what the head reads. */
  dropout?: number | DropoutRates;
  /** Share of pictures, in training, for which the last block's branch is left out; less before. */
  dropPath?: number;
  /** Threads that scratch is reserved for; 1 where absent. */
  maxThreads?: number;
  /** How sums are computed: `fast` has last bits of its own, and wants an engine that fuses; `lossy` is of int8 weights (src/base/arithmetic.ts). `plain` where absent. */
  arithmetic?: Arithmetic;
  /** What the pictures' port takes: bytes, or f32 (the same numbers, 0 … 255) for data that are not bytes. */
  pixels?: 'u8' | 'f32';
  /** Every layer gets a derivative table of its own, which src/training/calibrate may fit to what the layer sees. */
  ownTables?: boolean | undefined;
}

/** Refuses `lossy` over other weights than int8. */
export function checkArithmetic(arithmetic: Arithmetic | undefined, weights: string): void {
  if (arithmetic === 'lossy' && weights !== 'int8')
    throw new InputError({
      where: '--arithmetic',
      what: 'lossy rounds what weights in 8 bits are multiplied with',
      got: `--weights ${weights}`,
      expected: '--weights int8',
    });
}

/** Refuses a batch that micro-batches do not divide. */
export function checkBatch(batchSize: number, microBatch: number): void {
  if (batchSize % microBatch !== 0)
    throw new InputError({
      where: '--micro-batch',
      what: 'does not divide the batch size',
      got: microBatch,
      expected: `a divisor of ${batchSize}`,
    });
}

/** Whether pictures are mixed with each other. */
export const isMixed = (augment: Augmentation | undefined): boolean => (augment?.mixup ?? 0) > 0 || (augment?.cutmix ?? 0) > 0;
