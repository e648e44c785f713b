/** After the last epoch: one pass over pictures that were learnt from and one over those that were judged, for what `predict` tells unknown ones by. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Io } from '../../../assembly/abi/program.ts';
import { openStore } from '../../base/files.ts';
import { turnIfDue } from '../../base/pace.ts';
import type { Engine } from '../../engine/engine.ts';
import { adapterDigest, readAdapter } from '../../formats/adapterfile.ts';
import { KNOWN, type Known, writeKnown } from '../../formats/knownfile.ts';
import { chooseEvenly, classifierOf } from '../headstart.ts';
import { createRun } from '../runner.ts';
import { pass, type Samples } from '../train.ts';
import { distanceOf, knownTable, NEVER } from './distance.ts';
import { statisticsOf } from './statistics.ts';
import { temperatureOf } from './temperature.ts';

/** Pictures of each part that are looked at, but eight of a class at least: more hardly change means and covariance. */
const MOST_PICTURES = 1024;
const LEAST_OF_A_CLASS = 8;

/** What the engine's parameters know of their pictures; or why nothing can be said, as a part of a sentence. `path`: of a file for features, gone at the end. */
export async function learnKnown(engine: Engine, data: { train: Samples; val: Samples }, path: string): Promise<Known | { why: string }> {
  const { classes } = engine.program.about;
  const most = Math.max(MOST_PICTURES, LEAST_OF_A_CLASS * classes);
  const run = createRun(engine, { train: data.train.count });
  const head = classifierOf(engine.program, run);
  if (head === undefined) return { why: 'the head is no linear layer' };
  const { at, x, features } = head;
  const chosen = chosenOf(engine, data.train, most);
  const labels = chosen.map((i) => data.train.label(i));
  const store = openStore(path, 4 * features * Math.max(1, chosen.length));
  try {
    await eachBatch(engine, data.train, { chosen, at }, (from, rows) =>
      store.writeAt(4 * features * from, new Uint8Array(engine.memory.buffer, x, 4 * features * rows).slice()),
    );
    const found = statisticsOf({ store, features, labels }, classes);
    if ('why' in found) return found;
    const { table, directions } = knownTable({ ...found, temperature: 1 }, NEVER);
    const judging = chosenOf(engine, data.val, most);
    const judged = new Float32Array(judging.length);
    const logits = new Float32Array(judging.length * classes);
    await eachBatch(engine, data.val, { chosen: judging, at }, async (from, rows) => {
      for (let r = 0; r < rows; r++) {
        const one = new Float32Array(engine.memory.buffer, x + 4 * features * r, features);
        judged[from + r] = distanceOf({ table, directions }, one, classes);
      }
      await engine.runAsync({ start: at, end: engine.program.entries.eval.end });
      logits.set(engine.floats(Io.Logits).subarray(0, rows * classes), from * classes);
    });
    const truth = judging.map((i) => data.val.label(i));
    return { ...found, temperature: temperatureOf(logits, truth, classes), judged: judged.sort() };
  } finally {
    store.close();
    rmSync(path, { force: true });
  }
}

/** Writes it beside the adapter that is there now; where nothing is known, none of an earlier one stays. */
export function keepKnown(folder: string, known: Known | { why: string }): void {
  rmSync(join(folder, KNOWN), { force: true });
  if ('why' in known) return;
  const adapter = readAdapter(folder);
  const belongs = adapterDigest(adapter);
  adapter.weights.close();
  writeKnown(folder, belongs, known);
}

/** As many of each class as can be. */
const chosenOf = (engine: Engine, samples: Samples, most: number): number[] =>
  chooseEvenly(
    createRun(engine, { train: samples.count }),
    Int32Array.from({ length: samples.count }, (_, i) => samples.label(i)),
    most,
  );

/** Runs pictures up to the classifier, a micro-batch at a time. */
async function eachBatch(
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
