/** What passes between a host and the head's start in closed form (assembly/ridge/ridge.ts). */

/** What `ridgeNext` wants: a row from 0 on, or one of these. */
export const enum Want {
  /** The head is written. */
  Nothing = -1,
  /** The features are all the same, or of one class: the head stays as it was. */
  Constant = -2,
  /** A feature is NaN or infinite. */
  NotFinite = -3,
}

/** What `ridgeFound` tells. */
export const enum Found {
  /** λ over the mean square of the features about their mean, and λ. */
  Relative = 0,
  Lambda = 1,
  Factor = 2,
  /** Of the predictions left out: how many, the share that is right, their cross-entropy. */
  LeftOut = 3,
  Right = 4,
  Loss = 5,
}
