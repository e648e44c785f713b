/** Judging pictures by what their task can say of them. */

import { Answer } from '../../assembly/abi/task.ts';
import type { Engine } from '../engine/engine.ts';
import { CLASSIFY, type Measured, taskOf } from '../task/index.ts';
import { evaluate, type Samples, type Tally } from './train.ts';

/** Sees every picture of `samples`: what was answered, and its logits. */
export type Each = NonNullable<Parameters<typeof evaluate>[2]>;

/** Runs over all samples; the figures of the engine's task over them, and the sums of the loss. */
export async function measureTask(
  engine: Engine,
  samples: Samples,
  labels: readonly string[],
  each?: Each,
): Promise<Measured & { tally: Tally }> {
  const { about } = engine.program;
  const task = taskOf(about.task ?? CLASSIFY.name, 'program');
  const [count, outputs] = [samples.count, about.classes];
  // Classes are counted by what was answered; their logits, pictures times classes, would be 100 MB for 5,000 of each.
  const keeps = task.answer !== Answer.Class;
  const logits = new Float32Array(keeps ? count * outputs : 0);
  const [targets, answers]: [number[], number[]] = [[], []];
  const tally = await evaluate(engine, samples, (i, answer, row) => {
    if (keeps) logits.set(row, i * outputs);
    targets.push(...(samples.targets?.(i) ?? [samples.label(i)]));
    answers.push(...answer);
    each?.(i, answer, row);
  });
  return { ...task.measure({ count, outputs, targets, answers, logits }, labels), tally };
}
