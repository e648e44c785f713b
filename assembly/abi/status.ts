/** What `walk` returns. 0 is success; every other number is turned into a sentence by the host (`src/engine/engine.ts`). */
export const enum Status {
  Ok = 0,
  /** The instruction's opcode is not one of ours. */
  UnknownOp = 1,
  /** The code stream ends inside an instruction. */
  Truncated = 2,
  /** The loss is NaN or infinite. */
  LossNotFinite = 3,
  /** The gradient's norm is NaN or infinite. */
  GradientNotFinite = 4,
  /** A label lies outside the classes. */
  BadLabel = 5,
  /** A kernel was given an encoding that it does not have. */
  BadEncoding = 6,
  /** Not the end: the first thread waited for the others for a while. `resume` goes on. */
  Waiting = 7,
  /** Another thread of the team has died. */
  WorkerLost = 8,
  /** What a layer puts out, measured before the first step, is NaN or infinite. */
  OutputNotFinite = 9,
}
