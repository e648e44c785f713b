/** Any number of labels for a picture, each yes or no: binary cross-entropy with logits, a threshold for each label. */
import { Answer, Better, f1 } from '../../assembly/abi/task.ts';
import { EngineError } from '../base/error.ts';
import { emit } from '../ops/index.ts';
import type { Measured, Metric, Said, Task } from './task.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Average precision of a label: pictures in the order of their logits, the sum of (recall - recall before)·precision, equal logits taken together, as
 * scikit-learn has it. NaN where no picture has the label.
 */
export function averagePrecision(logits: ArrayLike<number>, has: readonly boolean[]): number {
  const order = [...has.keys()].sort((a, b) => logits[b]! - logits[a]!);
  const positives = has.filter(Boolean).length;
  let hits = 0;
  let sum = 0;
  for (let at = 0; at < order.length; ) {
    const value = logits[order[at]!]!;
    let more = 0;
    while (at < order.length && logits[order[at]!] === value) if (has[order[at++]!]) more++;
    hits += more;
    sum += (more / positives) * (hits / at);
  }
  return sum;
}

const share = (name: string, value: number): Metric => ({ name, value, isShare: true });
const meanOf = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

function measure({ count, outputs, targets, answers, logits }: Said, labels: readonly string[]): Measured {
  const column = <T>(c: number, of: (at: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i * outputs + c));
  const byLabel = labels.map((label, c) => {
    const has = column(c, (at) => targets[at]! >= 0.5);
    const answered = column(c, (at) => answers[at] === 1);
    const hits = has.filter((is, i) => is && answered[i]).length;
    const [seen, said] = [has.filter(Boolean).length, answered.filter(Boolean).length];
    return {
      label,
      hits,
      seen,
      said,
      precision: averagePrecision(
        column(c, (at) => logits[at]!),
        has,
      ),
    };
  });
  const total = (key: 'hits' | 'seen' | 'said'): number => byLabel.reduce((sum, one) => sum + one[key], 0);
  const there = byLabel.filter(({ seen }) => seen > 0);
  const isRight = (i: number): boolean => labels.every((_, c) => targets[i * outputs + c]! >= 0.5 === (answers[i * outputs + c] === 1));
  const right = Array.from({ length: count }, (_, i) => isRight(i)).filter(Boolean).length;
  return {
    all: [
      share('F1', meanOf(there.map(({ hits, seen, said }) => f1(hits, seen, said)))),
      share('mean average precision', meanOf(there.map(({ precision }) => precision))),
      share('micro F1', f1(total('hits'), total('seen'), total('said'))),
      share('every label right', right / count),
    ],
    outputs: byLabel.map(({ label, hits, seen, said, precision }) => ({
      label,
      metrics: [
        { name: 'pictures', value: seen, isShare: false },
        share('F1', f1(hits, seen, said)),
        share('precision', hits / said),
        share('recall', hits / seen),
        share('average precision', precision),
      ],
    })),
  };
}

export const multilabel: Task = {
  name: 'multilabel',
  problemType: 'multi_label_classification',
  noun: { one: 'label', many: 'labels' },
  answer: Answer.Labels,
  better: Better.Score,
  score: { name: 'F1', isShare: true },
  lossName: () => 'binary cross-entropy',
  constants: ['threshold'],
  losses: [],
  delta: () => 0,
  loss: (graph, name, { logits, targets, constants, state }, _, { phase, block }) =>
    emit(
      graph,
      'BinaryCrossEntropy',
      name,
      [logits, targets, constants],
      { train: phase === 'train' ? 1 : 0 },
      { phase, isBackward: true, isLoss: true, block, updates: [state] },
    ).outputs,
  measure,
  decode(logits, answers, labels) {
    if (!logits.every(Number.isFinite)) throw new EngineError({ where: 'logits', what: 'they are not finite (NaN or infinite)' });
    return labels
      .map((label, index) => ({ label, index, probability: sigmoid(logits[index]!), answered: answers[index] === 1 }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index);
  },
};
