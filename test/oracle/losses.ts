/** f64 references of the losses of several labels and of numbers: of one picture, from their definitions. */
type Numbers = ArrayLike<number>;

/** -log of the probability that a label's σ(x) gives to what is wanted, mean over the labels; `smoothing` draws targets to ½. */
export function binaryCrossEntropy(x: Numbers, targets: Numbers, smoothing: number): number {
  let loss = 0;
  for (let i = 0; i < x.length; i++) {
    const t = targets[i]! * (1 - smoothing) + smoothing / 2;
    loss += t * Math.log1p(Math.exp(-x[i]!)) + (1 - t) * Math.log1p(Math.exp(x[i]!));
  }
  return loss / x.length;
}

/** Mean over the numbers; `delta` 0: squares. */
export function huber(x: Numbers, wanted: Numbers, delta: number): number {
  let loss = 0;
  for (let i = 0; i < x.length; i++) {
    const d = Math.abs(x[i]! - wanted[i]!);
    loss += delta === 0 ? d * d : d < delta ? (d * d) / 2 : delta * d - delta ** 2 / 2;
  }
  return loss / x.length;
}
