// What the results pages say about right and wrong answers: shares, and 95 % intervals by the paired bootstrap.

export const percent = (share) => `${(100 * share).toFixed(1)} %`;
export const points = (share) => (100 * share).toFixed(1);
export const range = ([low, high], text = percent) => `${text(low)} to ${text(high)}`;

/**
 * `lists[m]`: the answers of contestant m, each `{ set, right: { picture: 0 or 1 } }`. Returns a row for every picture that was ever judged:
 * how often, and how often each contestant was right. A picture can be judged in several runs, and all contestants judge the same ones, so
 * pictures are what the bootstrap draws.
 */
export function pictureRows(lists) {
  const table = new Map();
  for (const [m, list] of lists.entries())
    for (const { set, right } of list)
      for (const [name, hit] of Object.entries(right)) {
        const key = `${set}/${name}`;
        const row = table.get(key) ?? { counts: lists.map(() => 0), hits: lists.map(() => 0) };
        row.counts[m]++;
        row.hits[m] += hit;
        table.set(key, row);
      }
  const rows = [...table.values()];
  if (rows.some(({ counts }) => counts.some((n) => n !== counts[0])))
    throw new Error('the contestants were not judged by the same pictures');
  return rows.map(({ counts, hits }) => ({ count: counts[0], hits }));
}

/** Accuracy of each contestant over rows. */
export function accuracies(rows) {
  const hits = rows[0].hits.map(() => 0);
  let count = 0;
  for (const row of rows) {
    count += row.count;
    for (const m of hits.keys()) hits[m] += row.hits[m];
  }
  return hits.map((h) => h / count);
}

/** 95 % intervals `[low, high]` of `figures(rows)`, a list of numbers, by the percentile bootstrap: all figures of a resample are of the same rows. */
export const bootstrap = (rows, figures, rounds) => bootstrapGroups([rows], ([list]) => figures(list), rounds);

/** The same of `figures(groups)`, where each group of rows is drawn from by itself. */
export function bootstrapGroups(groups, figures, rounds) {
  let state = 0x2545f491;
  const below = (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const seen = Array.from({ length: rounds }, () => figures(groups.map((rows) => rows.map(() => rows[below(rows.length)]))));
  return seen[0].map((_, i) => {
    const sorted = seen.map((f) => f[i]).sort((a, b) => a - b);
    return [sorted[Math.floor(0.025 * rounds)], sorted[Math.ceil(0.975 * rounds) - 1]];
  });
}

/** `[{ value, interval: [low, high] }]` of `figures(accuracies)`, a list of numbers; a resample holds the same pictures for everyone. */
export function withIntervals(rows, figures, rounds = 4000) {
  const judge = (list) => figures(accuracies(list));
  const intervals = bootstrap(rows, judge, rounds);
  return judge(rows).map((value, i) => ({ value, interval: intervals[i] }));
}
