/** After the last epoch: one pass over pictures that were learnt from and one over those that were judged, for what `predict` tells unknown ones by. */
import { rmSync } from 'node:fs';
import { openStore } from '../../base/files.ts';
import { turnIfDue } from '../../base/pace.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Known } from '../../formats/knownfile.ts';
import { chooseEvenly, classifierOf } from '../headstart.ts';
import { createRun } from '../runner.ts';
import { pass, type Samples } from '../train.ts';
import { distanceOf, knownTable, NEVER } from './distance.ts';
import { type FeatureRows, meansOf, statisticsOf } from './statistics.ts';

/** Pictures of each part that are looked at, but eight of a class at least: more hardly change means and covariance. */
const MOST_PICTURES = 1024;
const LEAST_OF_A_CLASS = 8;

/** What the engine's parameters know of their pictures; or why nothing can be said, as a part of a sentence. `path`: of a file for features, gone at the end. */
export async function learnKnown(engine: Engine, data: { train: Samples; val: Samples }, path: string): Promise<Known | { why: string }> {
  const { classes } = engine.program.about;
  const head = classifierOf(engine.program, createRun(engine, { train: data.train.count }));
  if (head === undefined) return { why: 'the head is no linear layer' };
  const found = await withFeatures(engine, data.train, path, (rows) => statisticsOf(rows, classes));
  return 'why' in found ? found : judge(engine, data.val, found);
}

/** Statistics of an earlier adapter whose parameters stayed as they were, with means of the classes that came to it. */
export async function extendKnown(
  engine: Engine,
  data: { train: Samples; val: Samples },
  { path, earlier }: { path: string; earlier: Known },
): Promise<Known> {
  const { classes } = engine.program.about;
  const more = await withFeatures(engine, data.train, path, (rows) => meansOf(rows, classes));
  const first = earlier.lengths.length;
  const found = {
    ...earlier,
    pictures: earlier.pictures + more.counts.subarray(first).reduce((a, b) => a + b, 0),
    means: Float32Array.from([...earlier.means, ...more.means.subarray(first * earlier.features)]),
    lengths: Float32Array.from([...earlier.lengths, ...more.lengths.subarray(first)]),
  };
  const { judged } = await judge(engine, data.val, found);
  return { ...found, judged: Float32Array.from([...earlier.judged, ...judged]).sort() };
}

/** Features of pictures to learn from, in a file that is there while they are used. */
export async function withFeatures<T>(engine: Engine, samples: Samples, path: string, use: (rows: FeatureRows) => T): Promise<T> {
  const { at, x, features } = classifierOf(engine.program, createRun(engine, { train: samples.count }))!;
  const chosen = chosenOf(engine, samples);
  const labels = chosen.map((i) => samples.label(i));
  const store = openStore(path, 4 * features * Math.max(1, chosen.length));
  try {
    await eachBatch(engine, samples, { chosen, at }, (from, rows) =>
      store.writeAt(4 * features * from, new Uint8Array(engine.memory.buffer, x, 4 * features * rows).slice()),
    );
    return use({ store, features, labels });
  } finally {
    store.close();
    rmSync(path, { force: true });
  }
}

/** Distances of the pictures that judge. */
async function judge<T extends Omit<Known, 'judged'>>(engine: Engine, samples: Samples, found: T): Promise<T & Known> {
  const { classes } = engine.program.about;
  const { at, x, features } = classifierOf(engine.program, createRun(engine, { train: samples.count }))!;
  const { table, directions } = knownTable(found, NEVER);
  const judging = chosenOf(engine, samples);
  const judged = new Float32Array(judging.length);
  await eachBatch(engine, samples, { chosen: judging, at }, (from, rows) => {
    for (let r = 0; r < rows; r++) {
      const one = new Float32Array(engine.memory.buffer, x + 4 * features * r, features);
      judged[from + r] = distanceOf({ table, directions }, one, classes);
    }
  });
  return { ...found, judged: judged.sort() };
}

/** As many of each class as can be. */
function chosenOf(engine: Engine, samples: Samples): number[] {
  const labels = Int32Array.from({ length: samples.count }, (_, i) => samples.label(i));
  const most = Math.max(MOST_PICTURES, LEAST_OF_A_CLASS * engine.program.about.classes);
  return chooseEvenly(createRun(engine, { train: samples.count }), labels, most);
}

/** Runs pictures up to the classifier, a micro-batch at a time. */
export async function eachBatch(
  engine: Engine,
  samples: Samples,
  { chosen, at }: { chosen: readonly number[]; at: number },
  use: (from: number, rows: number) => void | Promise<void>,
): Promise<void> {
  const { microBatch } = engine.program.about;
  for (let from = 0; from < chosen.length; from += microBatch) {
    const indices = chosen.slice(from, from + microBatch);
    await pass(engine, { phase: 'eval', until: at }, indices, samples);
    await use(from, indices.length);
    await turnIfDue();
  }
}
