/** How long a run is, in optimizer steps. */

/** Steps of so many epochs: the last batch of each may be smaller. */
export function stepsOf(epochs: number, pictures: number, batchSize: number): number {
  return epochs * Math.ceil(pictures / batchSize);
}

/** Steps in which the rate rises, a share of all: at least one is left. */
export function warmupSteps(total: number, share: number): number {
  return Math.min(total - 1, Math.ceil(total * share));
}
