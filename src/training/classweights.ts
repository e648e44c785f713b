/**
 * What each class weighs in the loss of training (`--class-weights`): as scikit-learn's `class_weight`, used as PyTorch's `CrossEntropyLoss(weight=…)`
 * uses it. Which picture of a listing learns is known before any is decoded, so weights are part of the plan and of the program.
 */

import { DEFAULTS } from '../base/defaults.ts';
import { InputError, nearest } from '../base/error.ts';
import type { Folder } from '../data/folder.ts';
import { splitSamples } from '../data/split.ts';
import type { Memory } from '../formats/memoryfile.ts';
import { rowsOfLabels } from './fromadapter.ts';
import { rehearse } from './memory/rehearse.ts';
import type { ClassWeights } from './taskchoice.ts';
import type { Samples } from './train.ts';

interface Wish {
  classWeights?: ClassWeights | undefined;
  holdOut?: number | undefined;
  seed?: number | undefined;
}
type Learns = Pick<Folder, 'classes' | 'train' | 'val'>;

/**
 * One weight for each row of the head; undefined where none was asked for. Balanced: pictures / (classes · pictures of the class), over the pictures that an epoch
 * learns from and the classes that they are of; rows without any weigh 1. `memory`: what is learnt again beside the folder. Throws InputError for a name
 * that is no class.
 */
export function classWeightsOf(
  { classWeights: wish, holdOut, seed }: Wish,
  folder: Learns,
  labels: readonly string[],
  memory?: Memory,
): number[] | undefined {
  if (wish === undefined) return undefined;
  if (wish === 'balanced') return balancedWeights(learntFrom({ holdOut, seed }, folder, labels, memory), labels.length);
  const wrong = Object.keys(wish).find((label) => !labels.includes(label));
  if (wrong === undefined) return labels.map((label) => (Object.hasOwn(wish, label) ? wish[label]! : 1));
  const near = nearest(wrong, labels)[0];
  throw new InputError(
    {
      where: '--class-weights',
      what: `no class ${wrong}`,
      expected: labels.join(', '),
      ...(near ? { hint: `did you mean ${near}?` } : {}),
    },
    'S2A_OPTION',
  );
}

function balancedWeights(samples: Samples, rows: number): number[] {
  const counts = new Array<number>(rows).fill(0);
  for (let i = 0; i < samples.count; i++) counts[samples.label(i)]!++;
  const there = counts.filter((n) => n > 0).length;
  return counts.map((n) => (n === 0 ? 1 : samples.count / (there * n)));
}

/** Labels alone, of what an epoch learns from. */
function learntFrom(
  { holdOut = DEFAULTS.holdOut, seed = DEFAULTS.seed }: Wish,
  { classes, train, val }: Learns,
  labels: readonly string[],
  memory: Memory | undefined,
): Samples {
  const rows = rowsOfLabels(labels, classes);
  const all = train.map(({ label }) => label);
  const own = val ? all : splitSamples(all, holdOut, seed).train.map((i) => all[i]!);
  const none: Samples = { count: 0, label: () => 0, readInto() {} };
  const mine: Samples = { ...none, count: own.length, label: (i) => rows[own[i]!]! };
  return memory ? rehearse({ train: mine, val: none }, memory).train : mine;
}
