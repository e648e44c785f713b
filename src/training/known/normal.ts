/** What is as usual: pictures of one class, and how far from them is too far. */
import { InputError } from '../../base/error.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Known } from '../../formats/knownfile.ts';
import type { Samples } from '../train.ts';
import { distanceOf, knownTable, NEVER } from './distance.ts';
import { withFeatures } from './learn.ts';
import { type FeatureRows, statisticsOf } from './statistics.ts';

/** Parts that pictures of one class are judged in, each by the statistics of the others. */
const FOLDS = 5;

/**
 * What is known of pictures that are all as usual. Nothing is held out: pictures are judged a fifth at a time, neighbours together, since a camera's are alike, by
 * the statistics of the other four; those that are kept are of all.
 */
function learnNormal(engine: Engine, samples: Samples, path: string): Promise<Known | { why: string }> {
  return withFeatures(engine, samples, path, ({ store, features, labels }) => {
    const n = labels.length;
    const parts = Math.min(FOLDS, n);
    const foldOf = (i: number): number => Math.floor((i * parts) / n);
    const judged = new Float32Array(n);
    const row = new Float32Array(features);
    for (let fold = 0; fold < parts; fold++) {
      const others = labels.flatMap((_, i) => (foldOf(i) === fold ? [] : [i]));
      const found = statisticsOf({ store: rowsOf(store, features, others), features, labels: others.map(() => 0) }, 1);
      if ('why' in found) return found;
      const known = knownTable(found, NEVER);
      for (let i = 0; i < n; i++)
        if (foldOf(i) === fold) {
          store.readAt(4 * features * i, new Uint8Array(row.buffer));
          judged[i] = distanceOf(known, row, 1);
        }
    }
    const all = statisticsOf({ store, features, labels: labels.map(() => 0) }, 1);
    return 'why' in all ? all : { ...all, judged: judged.sort() };
  });
}

/** Some rows of a file, as if they stood there alone. */
const rowsOf = (store: FeatureRows['store'], features: number, indices: readonly number[]): FeatureRows['store'] => ({
  readAt: (at, bytes) => store.readAt(4 * features * indices[at / (4 * features)]!, bytes),
});

/** The fewest pictures from which one of twenty can be told. */
const LEAST_NORMAL = 19;

/** The same of the pictures of `data`. Throws InputError for those by which nothing could be told. */
export async function normalOf(data: string, engine: Engine, samples: Samples, path: string): Promise<Known> {
  const known = await learnNormal(engine, samples, path);
  if (!('why' in known) && known.judged.length >= LEAST_NORMAL) return known;
  const why = 'why' in known ? known.why : `there are ${known.judged.length}, too few`;
  throw new InputError({
    where: data,
    what: `what is as usual cannot be told from these pictures: ${why}`,
    expected: `${LEAST_NORMAL} or more`,
  });
}
