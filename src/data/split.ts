/** A seeded part held out of each class, from integers alone, so that every runtime holds out the same pictures. */

import { mix } from '../base/hostrandom.ts';

export interface Split {
  train: number[];
  val: number[];
}

/**
 * Splits the indices of `labels`: of each class's n, round(n · fraction) are held out, at least one and at most n − 1; a class
 * of one stays in train. Both lists rise.
 */
export function splitSamples(labels: ArrayLike<number>, fraction: number, seed: number): Split {
  const classes = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const of = classes.get(labels[i]!);
    if (of) of.push(i);
    else classes.set(labels[i]!, [i]);
  }
  const train: number[] = [];
  const val: number[] = [];
  for (const [label, indices] of classes) {
    const held = fraction > 0 ? Math.min(indices.length - 1, Math.max(1, Math.round(indices.length * fraction))) : 0;
    // Fisher-Yates from the end: after k steps the last k are a fair draw. The bias of `%` is below n / 2³².
    for (let last = indices.length - 1; last >= indices.length - held; last--) {
      const other = mix(mix(seed >>> 0, label), last) % (last + 1);
      [indices[last], indices[other]] = [indices[other]!, indices[last]!];
    }
    val.push(...indices.splice(indices.length - held));
    train.push(...indices);
  }
  const rising = (a: number, b: number) => a - b;
  return { train: train.sort(rising), val: val.sort(rising) };
}
