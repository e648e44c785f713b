/** Classes of uneven size, learnt from alike: pictures of the smaller ones come several times an epoch. */

/**
 * The indices, and behind them more of each smaller class until it comes as often as the largest: every picture of it as often as any other, or once more,
 * spread evenly over the class. From whole numbers alone, so that a board's list is the same.
 */
export function balanced(indices: readonly number[], labelOf: (index: number) => number): number[] {
  const classes = new Map<number, number[]>();
  for (const index of indices) {
    const label = labelOf(index);
    const of = classes.get(label);
    if (of) of.push(index);
    else classes.set(label, [index]);
  }
  const most = [...classes.values()].reduce((n, of) => Math.max(n, of.length), 0);
  const more = [...classes].sort(([a], [b]) => a - b).flatMap(([, of]) => repeats(of, most - of.length));
  return [...indices, ...more];
}

/** So many of a list: whole copies of it, then some at even distances. */
function repeats(list: readonly number[], count: number): number[] {
  const n = list.length;
  const rest = count % n;
  const copies = Array.from({ length: count - rest }, (_, i) => list[i % n]!);
  return [...copies, ...Array.from({ length: rest }, (_, i) => list[Math.floor((i * n) / rest)]!)];
}
