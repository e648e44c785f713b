// One grid of learning rates for every method, chosen on validation pictures.

export const RATES = [1e-4, 2e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 4e-2, 8e-2];
/** Full fine-tuning may fall apart between 3e-4 and 1e-3: a grid that looks there too. */
export const FINE_RATES = [...RATES, 5e-4].sort((a, b) => a - b);

/** Answers over some runs, summed. */
export function validation(list) {
  const sum = (key) => list.reduce((total, { val }) => total + val[key], 0);
  return { accuracy: sum('correct') / sum('count'), loss: sum('loss') / sum('count') };
}

export const better = (a, b) => a.accuracy > b.accuracy || (a.accuracy === b.accuracy && a.loss < b.loss);

/**
 * Climbs the grid from `start`: tries neighbours until the best rate seen has both of its own tried, or lies at an end. `judge(rate)` gives
 * the validation of it. Returns `{ best, tried: Map(rate → validation) }`. What lies beyond two worse neighbours is not tried.
 */
export async function climb(rates, start, judge) {
  const tried = new Map();
  const look = async (i) => {
    const rate = rates[i];
    if (rate !== undefined && !tried.has(rate)) tried.set(rate, await judge(rate));
  };
  let at = rates.indexOf(start);
  await look(at);
  for (;;) {
    await Promise.all([look(at - 1), look(at + 1)]);
    const next = [at - 1, at + 1]
      .filter((i) => rates[i] !== undefined)
      .reduce((a, b) => (better(tried.get(rates[b]), tried.get(rates[a])) ? b : a), at);
    if (next === at) return { best: rates[at], tried };
    at = next;
  }
}
