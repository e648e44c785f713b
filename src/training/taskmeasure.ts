/** Judging pictures by what their task can say of them. */
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
  const logits = new Float32Array(count * outputs);
  const [targets, answers]: [number[], number[]] = [[], []];
  const tally = await evaluate(engine, samples, (i, answer, row) => {
    logits.set(row, i * outputs);
    targets.push(...(samples.targets?.(i) ?? [samples.label(i)]));
    answers.push(...answer);
    each?.(i, answer, row);
  });
  return { ...task.measure({ count, outputs, targets, answers, logits }, labels), tally };
}
