/**
 * How strongly a new class's row answers beside rows that it did not learn with: a factor and a number, with which the mean over the classes of what is
 * right, among the features that the row was made of, is largest. Older rows stay as they are.
 */

import type { HeadRows } from '../headstart.ts';
import { product } from '../known/distance.ts';

const FACTORS: readonly number[] = [0.5, 0.7, 1, 1.4, 2, 2.8, 4];

/** Settles the rows from `first` on, one after the other. */
export function settleRows({ features, labels, read, weight, bias }: HeadRows, first: number): void {
  const classes = bias.length;
  const logits = labels.map((_, i) => {
    const x = read(i);
    return Float64Array.from({ length: classes }, (_, c) => product(weight, c * features, x, 0, features) + bias[c]!);
  });
  for (let c = first; c < classes; c++) {
    if (!labels.includes(c)) continue;
    const { factor, more } = bestOf(logits, labels, c);
    for (let k = 0; k < features; k++) weight[c * features + k]! *= factor;
    bias[c] = bias[c]! * factor + more;
    for (const row of logits) row[c] = factor * row[c]! + more;
  }
}

/** Rows of classes that come later do not take part. */
function bestOf(logits: readonly Float64Array[], labels: readonly number[], c: number): { factor: number; more: number } {
  const known = logits.map((row) => {
    let best = 0;
    for (let j = 1; j < c; j++) if (row[j]! > row[best]!) best = j;
    return { best, value: row[best]! };
  });
  const own = labels.filter((label) => label === c).length;
  const others = labels.filter((label) => label < c).length;
  let found = { factor: 1, more: 0, lost: Number.POSITIVE_INFINITY };
  for (const factor of FACTORS) {
    // With more than its gap added to its logit the new class is answered for a picture.
    const gaps = known.map(({ value }, i) => value - factor * logits[i]![c]!);
    const sorted = gaps
      .map((gap, i) => ({ gap, i }))
      .filter(({ i }) => labels[i]! <= c)
      .sort((a, b) => a.gap - b.gap);
    // From nothing answered upwards: each gap that is passed wins a picture of the class, or loses one that was right.
    let lost = 1;
    for (const [k, { gap, i }] of sorted.entries()) {
      if (labels[i] === c) lost -= 1 / own;
      else if (known[i]!.best === labels[i]) lost += c / others;
      if (lost < found.lost) found = { factor, more: (gap + (sorted[k + 1]?.gap ?? gap + 1)) / 2, lost };
    }
  }
  return found;
}
