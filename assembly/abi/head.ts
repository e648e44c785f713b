/**
 * The arena's first 4 KiB, the only addresses that both sides know without a plan.
 *
 *     0        64       128              1024                          4096
 *     | zero   | walker | threads        | math constants (init)       |
 *
 * Address 0 stays empty, so 0 can mean "absent" in every instruction.
 */
export const enum Head {
  /** i32: node id of the instruction that failed. */
  FailedNode = 64,
  /** i32: the Status of the thread that failed first, of several that walk together (assembly/engine/barrier.ts); what they share follows. */
  Status = 68,
  /** What an instruction asks the host for (assembly/engine/ask.ts): arena offset and bytes; place in the file in units of 16 bytes, or a weight's number. */
  AskedOffset = 72,
  AskedBytes = 76,
  AskedPlace = 80,
  /** i32: threads that have come to the barrier. */
  Arrived = 128,
  /** i32: counts barriers passed, and failures. */
  Generation = 192,
  /** i32: threads asleep on any of these words. */
  Sleepers = 256,
  /** i32: counts phases begun; u32: arena offsets of the phase's code and of its end. */
  Start = 320,
  Code = 324,
  End = 328,
  /** i32: 1 sends the other threads home. */
  Stop = 332,
  /** i32: threads, all but the first, that have finished the phase. */
  Done = 384,
  /** Start of the constants that `init` writes (the engine has no data section). */
  Math = 1024,
  Bytes = 4096,
}

/**
 * The state block: first value of the checkpoint region. Byte offsets.
 * Written by the host before the first step, advanced by the `Schedule` op, saved with every checkpoint.
 */
export const enum State {
  /** i32: optimizer steps done. */
  Step = 0,
  /** i32: steps in the whole run (for the cosine). */
  TotalSteps = 4,
  /** i32: steps of linear warm-up. */
  WarmupSteps = 8,
  /** u32: seed of every random stream. */
  Seed = 12,
  /** f32: peak learning rate. */
  BaseRate = 16,
  /** f32: learning rate of the current step, written by Schedule. */
  Rate = 20,
  /** f32: final learning rate as a fraction of the peak. */
  FinalFraction = 24,
  /** f32: momentum (SGD) or beta1 (AdamW). */
  Beta1 = 28,
  /** f32: beta2 (AdamW). */
  Beta2 = 32,
  /** f32: epsilon (AdamW). */
  Epsilon = 36,
  /** f32: decoupled weight decay. */
  WeightDecay = 40,
  /** f32: largest gradient norm; 0 switches clipping off. */
  ClipNorm = 44,
  /** f32: the gradient norm of the last step, before clipping. */
  Norm = 48,
  /** f32: factor on every gradient of this step, min(1, ClipNorm / Norm). */
  ClipFactor = 52,
  /** f64: running sum of squares while SumSquares walks the gradients. */
  SumSquares = 56,
  /** f64: beta1^t and beta2^t after t updates of the moments, 1 before the first; advanced by Schedule. */
  Beta1Power = 64,
  Beta2Power = 72,
  /** f32: 1 / pictures in the effective batch: factor on every dlogits. */
  LossScale = 80,
  /** f32: label smoothing. */
  Smoothing = 84,
  /** f64: sum of per-picture losses since the host last cleared it. */
  LossSum = 88,
  /** i32: correct predictions and pictures counted since the host last cleared them. */
  Correct = 96,
  Count = 100,
  /** u32: epoch, pictures of it already consumed (data order and accumulation position). */
  Epoch = 104,
  Position = 108,
  /** i32: passes over pictures whose outputs are measured (Observe, SetRates); 0: nothing is. */
  Measured = 112,
  /** f32 × 2 × 6: smallest and largest relative rate of each group (src/passes/rates.ts) as SetRates found them, before BaseRate; 0 where none learns. */
  Rates = 128,
  Bytes = 176,
}
