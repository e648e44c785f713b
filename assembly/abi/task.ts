/**
 * What hosts know of a task: how a picture's target is written, how its answer is read, and by what one of two epochs is better. Every task
 * (src/task) is one of these, so a new one needs nothing new of the runner or of the WASI program. Both languages read it (bounds.ts).
 */

/** Targets, in the port Labels, and answers, in the port Choices. A row whose first target has the bits 0xffffffff is padding. */
export const enum Answer {
  /** Target i32: a class; answer i32: the class that was named. */
  Class = 0,
  /** Targets f32[N], 0 to 1; answers i32[N]: 1 where the label is answered. */
  Labels = 1,
  /** f32[N] both, in their own units. */
  Numbers = 2,
}

/** What decides between two epochs; between equals the smaller loss does. */
export const enum Better {
  /** More pictures that are wholly right. */
  Correct = 0,
  /** A higher score: of labels F1, the mean over labels; of numbers R², the mean over outputs. */
  Score = 1,
  /** The loss alone. */
  Loss = 2,
}

/** Bytes of a picture's target. */
export function targetBytes(answer: number, outputs: number): number {
  return answer === Answer.Class ? 4 : 4 * outputs;
}

/** Bytes that the runner counts an output's answers in: four whole numbers, or three sums in f64. */
export function countBytes(answer: number): number {
  return answer === Answer.Numbers ? 24 : 16;
}

/** Huber's loss of a standardised distance, or with delta 0 its square: as the kernel has it. */
export function numberLoss(d: number, delta: number): number {
  const size = d < 0 ? -d : d;
  if (delta === 0) return d * d;
  return size < delta ? 0.5 * d * d : delta * (size - 0.5 * delta);
}

/** F1 of a label: hits among those that have it (`seen`) and those of which it was answered; 0 where it is in neither. */
export function f1(hits: number, seen: number, answered: number): number {
  return seen + answered === 0 ? 0 : (2 * hits) / (seen + answered);
}
