/** Numbers, one or several for a picture: Huber's loss or squares, of targets standardised by the means and deviations of those to learn from. */
import { Answer, Better } from '../../assembly/abi/task.ts';
import { EngineError } from '../base/error.ts';
import { emit } from '../ops/index.ts';
import type { Measured, Metric, Said, Task, TaskSettings } from './task.ts';

/** In standard deviations: where squares become lines. PyTorch's default. */
const DELTA = 1;
const deltaOf = ({ loss }: TaskSettings): number => (loss === 'squares' ? 0 : DELTA);

const plain = (name: string, value: number): Metric => ({ name, value, isShare: false });

/** Mean absolute error, root of the mean square, and R² as scikit-learn has it: 1 - Σ(t - y)² / Σ(t - mean t)². NaN where all targets are equal. */
function figuresOf(targets: readonly number[], answers: readonly number[]): Metric[] {
  const n = targets.length;
  const mean = targets.reduce((a, b) => a + b, 0) / n;
  let [sizes, squares, spread] = [0, 0, 0];
  for (const [i, t] of targets.entries()) {
    sizes += Math.abs(t - answers[i]!);
    squares += (t - answers[i]!) ** 2;
    spread += (t - mean) ** 2;
  }
  return [
    plain('R2', spread > 0 ? 1 - squares / spread : Number.NaN),
    plain('mean error', sizes / n),
    plain('root mean square', Math.sqrt(squares / n)),
  ];
}

function measure({ count, outputs, targets, answers }: Said, labels: readonly string[]): Measured {
  const column = (list: ArrayLike<number>, c: number): number[] => Array.from({ length: count }, (_, i) => list[i * outputs + c]!);
  const byOutput = labels.map((label, c) => ({ label, metrics: figuresOf(column(targets, c), column(answers, c)) }));
  const known = byOutput.map(({ metrics }) => metrics[0]!.value).filter((value) => !Number.isNaN(value));
  const r2 = known.length === 0 ? Number.NaN : known.reduce((a, b) => a + b, 0) / known.length;
  // Errors of several outputs are in units that do not add up.
  return { all: [plain('R2', r2), ...(byOutput.length === 1 ? byOutput[0]!.metrics.slice(1) : [])], outputs: byOutput };
}

/** Mean and standard deviation of each output, as f32; 1 where all are equal, so that nothing is divided by zero. */
export function standardise(targets: readonly (readonly number[])[]): { mean: number[]; std: number[] } {
  const outputs = targets[0]?.length ?? 0;
  const columns = Array.from({ length: outputs }, (_, c) => targets.map((row) => row[c]!));
  const means = columns.map((list) => list.reduce((a, b) => a + b, 0) / list.length);
  const stds = columns.map((list, c) => Math.sqrt(list.reduce((sum, t) => sum + (t - means[c]!) ** 2, 0) / list.length));
  return { mean: means.map(Math.fround), std: stds.map((s) => (Math.fround(s) > 0 ? Math.fround(s) : 1)) };
}

export const regress: Task = {
  name: 'regress',
  problemType: 'regression',
  noun: { one: 'number', many: 'numbers' },
  answer: Answer.Numbers,
  better: Better.Loss,
  score: { name: 'R2', isShare: false },
  lossName: ({ loss }) => (loss === 'squares' ? 'squares' : 'Huber'),
  constants: ['mean', 'std'],
  losses: ['huber', 'squares'],
  delta: deltaOf,
  loss: (graph, name, { logits, targets, constants, state }, settings, { phase, block }) =>
    emit(
      graph,
      'Huber',
      name,
      [logits, targets, constants],
      { train: phase === 'train' ? 1 : 0, delta: deltaOf(settings) },
      { phase, isBackward: true, isLoss: true, block, updates: [state] },
    ).outputs,
  measure,
  decode(logits, answers, labels) {
    if (!logits.every(Number.isFinite)) throw new EngineError({ where: 'logits', what: 'they are not finite (NaN or infinite)' });
    return labels.map((label, index) => ({ label, index, probability: Number.NaN, value: answers[index]! }));
  },
};
