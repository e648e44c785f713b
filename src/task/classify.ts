/** One class of several: softmax cross-entropy. */
import { Answer, Better } from '../../assembly/abi/task.ts';
import { EngineError } from '../base/error.ts';
import { ABSENT } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import type { Prediction, Said, Task } from './task.ts';

/** Softmax of logits. Throws EngineError for those that are not finite. */
export function probabilitiesOf(logits: ArrayLike<number>): number[] {
  const list = Array.from(logits);
  const top = list.reduce((m, x) => Math.max(m, x), Number.NEGATIVE_INFINITY);
  const powers = list.map((x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  if (!Number.isFinite(sum)) throw new EngineError({ where: 'logits', what: 'they are not finite (NaN or infinite)' });
  return powers.map((p) => p / sum);
}

/** The same with their labels, most probable first. */
const ranked = (logits: Float32Array, labels: readonly string[]): Prediction[] =>
  probabilitiesOf(logits)
    .map((probability, index) => ({ label: labels[index]!, index, probability }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index);

function measure({ count, outputs, targets, answers }: Said, labels: readonly string[]): ReturnType<Task['measure']> {
  const [seen, right] = [new Uint32Array(outputs), new Uint32Array(outputs)];
  let correct = 0;
  for (let i = 0; i < count; i++) {
    seen[targets[i]!]!++;
    if (targets[i] !== answers[i]) continue;
    right[targets[i]!]!++;
    correct++;
  }
  const share = (value: number) => [{ name: 'accuracy', value, isShare: true }];
  return { all: share(correct / count), outputs: labels.map((label, c) => ({ label, metrics: share(right[c]! / seen[c]!) })) };
}

export const classify: Task = {
  name: 'classify',
  problemType: 'single_label_classification',
  noun: { one: 'class', many: 'classes' },
  answer: Answer.Class,
  better: Better.Correct,
  score: { name: 'accuracy', isShare: true },
  lossName: () => 'cross-entropy',
  constants: [],
  losses: [],
  delta: () => 0,
  loss(graph, name, { logits, targets, mix, weights, state }, _, { phase, block }) {
    const isWeighted = weights !== ABSENT;
    const operands = [logits, targets, ...(mix ? [mix.others, mix.shares] : []), ...(isWeighted ? [weights] : [])];
    const train = { train: phase === 'train' ? 1 : 0 };
    const how = { phase, isBackward: true, isLoss: true, block, updates: [state] };
    if (!mix && !isWeighted) return emit(graph, 'CrossEntropy', name, operands, train, how).outputs;
    return emit(graph, 'SoftCrossEntropy', name, operands, { ...train, mixed: mix ? 1 : 0, weighted: Number(isWeighted) }, how).outputs;
  },
  measure,
  decode: (logits, _, labels) => ranked(logits, labels),
};
