/** Prepared pictures as the training loop reads them. */
import { balanced } from '../data/balance.ts';
import type { Cache } from '../data/cache.ts';
import type { Prepared } from '../data/prepare.ts';
import type { Samples } from './train.ts';

/** A list of cache indices as samples; `labels[i]` is the row of the head that the cache's class `i` belongs to. */
export const samplesOf = (cache: Cache, indices: readonly number[], labels?: readonly number[], outputs = labels?.length): Samples => ({
  count: indices.length,
  label(i) {
    const { label, values } = cache.pictures[indices[i]!]!;
    return labels === undefined || values !== undefined ? label : labels[label]!;
  },
  ...(indices.some((i) => cache.pictures[i]!.values !== undefined)
    ? { targets: (i) => inRows(cache.pictures[indices[i]!]!.values!, labels, outputs) }
    : {}),
  readInto: (i, target) => cache.readInto(indices[i]!, target),
});

/** Targets in the head's rows; those that the pictures do not tell of are 0. */
function inRows(values: readonly number[], rows: readonly number[] = [...values.keys()], outputs = values.length): Float32Array {
  const targets = new Float32Array(outputs);
  for (const [i, value] of values.entries()) targets[rows[i]!] = value;
  return targets;
}

/** The pictures to learn from, as often as they come in an epoch: with `balance` those of smaller classes several times. */
export const drawnFrom = ({ balance }: { balance?: boolean }, { cache, train }: Pick<Prepared, 'cache' | 'train'>): readonly number[] =>
  balance ? balanced(train, (i) => cache.pictures[i]!.label) : train;
