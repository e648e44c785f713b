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
  /** No failures: the instruction asks the host for something, and `resume` says that it is done (assembly/abi/ops/stored.ts). */
  Place = 10,
  Store = 11,
  Fetch = 12,
  Await = 13,
  /** The file of stored weights gave other bytes than were put into it. */
  StoredChanged = 14,
}

/** Whether the walk stands at an instruction that waits for its host. */
export function isRequest(status: i32): boolean {
  return status >= Status.Place && status <= Status.Await;
}

/** The sentence of a status. */
export function statusText(status: Status): string {
  if (status === Status.UnknownOp) return 'unknown operator';
  if (status === Status.Truncated) return 'the code ends inside an instruction';
  if (status === Status.LossNotFinite) return 'the loss is not finite (NaN or infinite)';
  if (status === Status.GradientNotFinite) return 'the gradient is not finite (NaN or infinite)';
  if (status === Status.BadLabel) return 'a label lies outside the classes';
  if (status === Status.BadEncoding) return 'an encoding that the kernel does not have';
  if (status === Status.OutputNotFinite) return 'what the network puts out on the first pictures is not finite (NaN or infinite)';
  if (status === Status.StoredChanged) return 'gives other weights than were put into it: it was changed while in use';
  return 'a status that the engine does not have';
}
