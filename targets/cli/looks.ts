/** Judging by two looks at each picture, one of them in a mirror. */
import type { Engine } from '../../src/engine/engine.ts';
import type { Preparation } from '../../src/input/index.ts';
import { type Measured, taskOf } from '../../src/task/index.ts';
import { evaluate, type Samples, type Tally } from '../../src/training/train.ts';
import { averaged, mirrored } from '../../src/use/flips.ts';

/** Sees every picture: what was answered, logits, and in which row of the last pass it stands as it is. */
export type Look = (i: number, answer: ArrayLike<number>, logits: Float32Array, row: number) => void;

/** Figures of classes over all samples, each of them answered by the mean of both looks. */
export async function measureTwice(
  engine: Engine,
  samples: Samples,
  { labels, preprocess }: { labels: readonly string[]; preprocess: Preparation },
  each: Look,
): Promise<Measured & { tally: Tally }> {
  const { count } = samples;
  // The mirror image of each comes before it, so that a pass ends with pictures as they are.
  const both: Samples = {
    count: 2 * count,
    label: (i) => samples.label(i >> 1),
    readInto(i, target) {
      samples.readInto(i >> 1, target);
      if (i % 2 === 0) target.set(mirrored(target, preprocess));
    },
  };
  const [targets, answers]: [number[], number[]] = [[], []];
  let other = new Float32Array();
  const tally: Tally = { lossSum: 0, correct: 0, count };
  await evaluate(engine, both, (j, _, logits) => {
    if (j % 2 === 0) {
      other = logits.slice();
      return;
    }
    const i = j >> 1;
    const mean = averaged(logits, other);
    const answer = mean.reduce((best, x, c) => (x > mean[best]! ? c : best), 0);
    const truth = samples.label(i);
    tally.lossSum -= mean[truth]!;
    if (answer === truth) tally.correct++;
    targets.push(truth);
    answers.push(answer);
    each(i, [answer], mean, j % engine.program.about.microBatch);
  });
  const said = { count, outputs: labels.length, targets, answers, logits: new Float32Array() };
  return { ...taskOf('classify').measure(said, labels), tally };
}
