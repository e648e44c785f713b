/** `s2a eval`: accuracy of an adapter on labelled pictures. */

import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { metricsText, metricText } from '../../src/report/figures.ts';
import { formatPercent, table } from '../../src/report/terminal.ts';
import { CLASSIFY, type Metric } from '../../src/task/index.ts';
import { sayAssumed } from './assumed.ts';
import { type Judgement, judgeAdapter, type Split } from './judge.ts';
import { parse, read } from './options.ts';
import type { Output } from './output.ts';

const SPLITS: readonly string[] = ['all', 'train', 'val', 'test'];

/** Classes up to which JSON has the whole matrix: a million counts. */
const MOST_IN_MATRIX = 1000;

/** confusion[truth][predicted], counts; null where it would be larger than everything else: `mistakes` says the same. */
function matrix(classes: Judgement['classes'], mistakes: Judgement['mistakes']): number[][] | null {
  if (classes.length > MOST_IN_MATRIX) return null;
  const rows = classes.map((_, i) => classes.map(({ correct }, j) => (i === j ? correct : 0)));
  for (const [truth, predicted, times] of mistakes) rows[truth]![predicted] = times;
  return rows;
}

const FLAGS = {
  split: 'text',
  labels: 'text',
  task: 'text',
  weights: 'text',
  'micro-batch': 'text',
  budget: 'text',
  threads: 'text',
  cache: 'text',
  seed: 'text',
  json: 'flag',
} as const;

/** The figures of another task than classification, in all and by output. */
function tellMeasured(
  out: Output,
  isJson: boolean,
  { tally, task, measured, skipped, split }: Pick<Judgement, 'tally' | 'task' | 'measured' | 'skipped' | 'split'>,
): void {
  const loss = tally.lossSum / tally.count;
  if (isJson) {
    const named = (metrics: readonly Metric[]) =>
      Object.fromEntries(metrics.map(({ name, value }) => [name, Number.isNaN(value) ? null : value]));
    const outputs = measured.outputs.map(({ label, metrics }) => ({ label, ...named(metrics) }));
    out.json({ split, task, ...named(measured.all), count: tally.count, loss, outputs, skipped });
    return;
  }
  out.line(`${metricsText(measured.all)}: ${counted(tally.count, 'picture')} (${split}), loss ${loss.toFixed(3)}\n`);
  const [first] = measured.outputs;
  const rows = measured.outputs.map(({ label, metrics }) => [label, ...metrics.map(metricText)]);
  out.line(table([['', ...first!.metrics.map(({ name }) => name)], ...rows]));
  for (const { path, reason } of skipped) out.warn(`skipped ${path}: ${reason}`);
}

export async function evaluate(args: string[], out: Output): Promise<void> {
  const p = parse(args, FLAGS, { least: 2, most: 3, usage: 's2a eval <model folder> [adapter] <pictures>' });
  const [model, data] = [p.positionals[0]!, p.positionals.at(-1)!];
  const adapter = p.positionals.length === 3 ? p.positionals[1] : undefined;
  const split = p.text('split');
  if (split !== undefined && !SPLITS.includes(split))
    throw new InputError({ where: '--split', what: 'unknown value', got: split, expected: SPLITS.join(', ') });
  if (adapter === undefined) sayAssumed(openModelFolder(model), out);
  const {
    tally,
    task,
    measured,
    classes,
    mistakes,
    skipped,
    split: used,
  } = await judgeAdapter({
    model,
    data,
    onProgress: (done, total) => out.live(`preparing pictures ${done}/${total}`),
    warn: (sentence) => out.warn(sentence),
    ...defined({
      adapter,
      labels: read(p, 'labels'),
      task: read(p, 'task'),
      split: split as Split | undefined,
      microBatch: read(p, 'microBatch'),
      budget: read(p, 'budget'),
      threads: read(p, 'threads') ?? 'auto',
      weights: read(p, 'weights'),
      cacheFolder: read(p, 'cacheFolder'),
      seed: read(p, 'seed'),
    }),
  });
  if (task !== CLASSIFY.name) {
    tellMeasured(out, p.flag('json'), { tally, task, measured, skipped, split: used });
    return;
  }
  const accuracy = tally.correct / tally.count;
  if (p.flag('json')) {
    out.json({
      split: used,
      accuracy,
      correct: tally.correct,
      count: tally.count,
      loss: tally.lossSum / tally.count,
      classes,
      confusion: matrix(classes, mistakes),
      mistakes,
      skipped,
    });
    return;
  }
  out.line(
    `accuracy ${formatPercent(accuracy)}: ${tally.correct} of ${counted(tally.count, 'picture')} (${used}), loss ${(tally.lossSum / tally.count).toFixed(3)}\n`,
  );
  out.line(table(classes.map(({ label, count, correct }) => [label, `${correct}/${count}`, formatPercent(correct / count)])));
  for (const { path, reason } of skipped) out.warn(`skipped ${path}: ${reason}`);
}
