/**
 * Section Run of a program file: what a run is started with, for a runtime without JavaScript. Byte offsets; 8-byte values are aligned.
 * The texts that belong to it stand in sections of their own (program.ts).
 */
export const enum RunField {
  /** u32. */
  Epochs = 0,
  BatchSize = 4,
  MicroBatch = 8,
  Classes = 12,
  Height = 16,
  Width = 20,
  /** u32: bytes of one channel of a picture: 1 (uint8) or 4 (f32, the same numbers: 0 … 255). */
  PixelBytes = 24,
  /** u32: epochs without a better one after which the run ends; 0: it never does. */
  Patience = 28,
  /** f64: share of the steps in which the rate rises. Steps are counted when the number of pictures is known. */
  Warmup = 32,
  /** The state block before the first step, for the pictures that were packed. */
  State = 40,
  /** SHA-256 of the base weights' files, one after the other. */
  Base = 216,
  /** u32: how often a run that has gone astray goes back (watch.ts). */
  Retries = 248,
  /** u32: 1 where the head starts from ridge regression, 0 at zero. */
  Head = 252,
  /** u32: an `Answer` and a `Better` of task.ts; whether the score is a share; f32: Huber's delta, where the answer is numbers. */
  Answer = 256,
  Better = 260,
  IsShare = 264,
  Delta = 268,
  Bytes = 272,
}
