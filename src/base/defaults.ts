/**
 * What holds where nothing is said, each once: library, command line, help and documentation take it from here, by the option's name in JavaScript.
 * A default is tried on networks and pictures that it was not chosen on (docs/results/networks.md).
 */
import { MOST_BACKS } from '../../assembly/abi/watch.ts';

export const DEFAULTS = {
  /** What learns, and what is kept for backward. */
  method: 'bias',
  keep: 's2a',
  weights: 'f32',
  optimizer: 'adamw',
  /** Blocks that are computed again: as few as the budget needs. */
  recompute: 'auto',
  /** Classes of the head of a plan that has no pictures. */
  classes: 10,
  /** Threads that scratch is reserved for: what the processors of small boards have. */
  maxThreads: 4,
  threads: 'auto',
  pixels: 'u8',
  epochs: 20,
  batchSize: 16,
  seed: 0,
  weightDecay: 0.01,
  /** Share of the steps in which the rate rises, and of the peak rate at the end. */
  warmup: 0.1,
  finalFraction: 0,
  clipNorm: 1,
  smoothing: 0,
  momentum: 0.9,
  patience: 0,
  retries: MOST_BACKS,
  /** Share of each class that is held out where there is no folder to judge by. */
  holdOut: 0.2,
  /** Bytes on disk for what the part that never changes makes of the pictures. */
  featureCache: 512 << 20,
  /** The probability from which a label is answered. */
  threshold: 0.5,
  /** Which share of pictures of known classes may be called unknown. */
  unknown: 0.05,
  /** Pictures that calibration measures; steps before, and batches of, a comparison of gradients. */
  pictures: 64,
  steps: 20,
  batches: 4,
} as const;
