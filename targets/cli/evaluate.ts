/** `s2a eval`: how well an adapter, or a model's own head, does on labelled pictures. */

import { basename, dirname } from 'node:path';
import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { writeText } from '../../src/base/files.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { evaluationPage } from '../../src/report/evaluation.ts';
import { metricsText, metricText } from '../../src/report/figures.ts';
import { figuresText } from '../../src/report/judging.ts';
import { normalityText, refusalsText } from '../../src/report/refusing.ts';
import { formatPercent, table } from '../../src/report/terminal.ts';
import { type Metric, taskOf } from '../../src/task/index.ts';
import { type ClassFigures, confusionMatrix } from '../../src/task/judging.ts';
import { tryFile } from '../../src/training/beforehand.ts';
import { sayAssumed } from './assumed.ts';
import { inUse } from './inuse.ts';
import { type Judged, type Judgement, judgeAdapter, type Shown, type Split } from './judge.ts';
import { type Parsed, parse, read } from './options.ts';
import type { Output } from './output.ts';
import { preparingLine } from './progress.ts';
import { keepWorst, openPicturer, type WorstKeeper } from './worst.ts';

const SPLITS: readonly string[] = ['all', 'train', 'val', 'test'];

const FLAGS = {
  split: 'text',
  labels: 'text',
  task: 'text',
  weights: 'text',
  stored: 'text',
  'micro-batch': 'text',
  budget: 'text',
  threads: 'text',
  cache: 'text',
  seed: 'text',
  report: 'text',
  unknown: 'text',
  flips: 'flag',
  json: 'flag',
} as const;

/** A share of nothing is null in JSON. */
const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** The figures of another task than classification, in all and by output. */
function tellMeasured(out: Output, isJson: boolean, { tally, task, input, measured, skipped, split }: Judgement): void {
  const loss = tally.lossSum / tally.count;
  if (isJson) {
    const named = (metrics: readonly Metric[]) => Object.fromEntries(metrics.map(({ name, value }) => [name, orNull(value)]));
    const outputs = measured.outputs.map(({ label, metrics }) => ({ label, ...named(metrics) }));
    out.json({ split, task, ...named(measured.all), count: tally.count, loss, outputs, skipped });
    return;
  }
  out.line(`${metricsText(measured.all)}: ${counted(tally.count, input)} (${split}), loss ${loss.toFixed(3)}\n`);
  const [first] = measured.outputs;
  const rows = measured.outputs.map(({ label, metrics }) => [label, ...metrics.map(metricText)]);
  out.line(table([['', ...first!.metrics.map(({ name }) => name)], ...rows]));
}

/** The figures of classes. */
function tellClasses(out: Output, isJson: boolean, figures: ClassFigures, judgement: Judgement): void {
  const { tally, input, skipped, split, refused, labels } = judgement;
  const { correct, count, top5, mean, calibrationError, mistakes } = figures;
  const [accuracy, loss] = [correct / count, tally.lossSum / count];
  if (isJson) {
    const classes = figures.classes.map((one) => ({
      ...one,
      precision: orNull(one.precision),
      recall: orNull(one.recall),
      f1: orNull(one.f1),
    }));
    const bins = figures.bins.map((bin) => ({ ...bin, confidence: orNull(bin.confidence), accuracy: orNull(bin.accuracy) }));
    const calibration = { error: calibrationError, bins };
    out.json({
      split,
      accuracy,
      correct,
      count,
      loss,
      top5,
      mean,
      calibration,
      classes,
      confusion: confusionMatrix(figures),
      mistakes,
      unknown: refused ?? null,
      skipped,
    });
    return;
  }
  // Of one class every picture is named rightly: what is asked is whether it is as usual.
  if (refused && labels.length === 1) {
    out.line(`${counted(count, input)} as usual (${split})\n${normalityText(refused)}`);
    return;
  }
  out.line(`accuracy ${formatPercent(accuracy)}: ${correct} of ${counted(count, input)} (${split}), loss ${loss.toFixed(3)}`);
  out.line(figuresText(figures));
  if (refused) out.line(`\n${refusalsText(refused)}`);
}

/** The pictures and their table; a table given in the place of a folder lies in it. */
function sourceOf(p: Parsed): { data: string; labels?: string } {
  const data = p.positionals.at(-1)!;
  const labels = read(p, 'labels');
  if (!data.toLowerCase().endsWith('.csv')) return { data, ...defined({ labels }) };
  if (labels !== undefined)
    throw new InputError({ where: data, what: 'is a table of labels, and --labels names another', expected: 'one of them' });
  return { data: dirname(data), labels: data };
}

/** Judges, and shows the worst to who keeps them. */
function judge(p: Parsed, out: Output, each: (picture: Judged, show: () => Shown) => void): Promise<Judgement> {
  const model = p.positionals[0]!;
  const adapter = p.positionals.length === 3 ? inUse(p.positionals[1]!) : undefined;
  const split = p.text('split');
  if (split !== undefined && !SPLITS.includes(split))
    throw new InputError({ where: '--split', what: 'unknown value', got: split, expected: SPLITS.join(', ') });
  const source = sourceOf(p);
  if (adapter === undefined) sayAssumed(openModelFolder(model), out);
  return judgeAdapter(
    {
      model,
      ...source,
      flips: p.flag('flips'),
      onProgress: (done) => out.live(preparingLine(done)),
      warn: (sentence) => out.warn(sentence),
      ...defined({
        adapter,
        task: read(p, 'task'),
        split: split as Split | undefined,
        microBatch: read(p, 'microBatch'),
        budget: read(p, 'budget'),
        threads: read(p, 'threads') ?? 'auto',
        weights: read(p, 'weights'),
        stored: read(p, 'stored'),
        cacheFolder: read(p, 'cacheFolder'),
        seed: read(p, 'seed'),
        unknown: read(p, 'unknown'),
      }),
    },
    each,
  );
}

function writePage(path: string, p: Parsed, judgement: Judgement, worst: WorstKeeper, command: string): void {
  const { tally, split, labels, figures, refused, input, measured, skipped, task } = judgement;
  const { noun } = taskOf(task);
  const [model, adapter] = [p.positionals[0]!, p.positionals.length === 3 ? p.positionals[1]! : 'its own head'];
  const which = split === 'all' ? '' : ` of ${split}`;
  writeText(
    path,
    evaluationPage({
      title: `${basename(model)} with ${adapter}, judged`,
      summary: `${counted(tally.count, input)}${which} of ${p.positionals.at(-1)!}, ${labels.length} ${labels.length === 1 ? noun.one : noun.many}.`,
      loss: tally.lossSum / tally.count,
      ...(figures ? { figures, refused } : { measured }),
      worst: worst.found(),
      skipped: skipped.map(({ path: file, reason }) => ({ file, reason })),
      command,
    }),
  );
}

export async function evaluate(args: string[], out: Output): Promise<void> {
  const p = parse(args, FLAGS, { least: 2, most: 3, usage: 's2a eval <model folder> [adapter] <pictures>' });
  const path = p.text('report');
  if (path !== undefined) tryFile(path, '--report');
  const pictured = path === undefined ? undefined : await openPicturer();
  let worst: WorstKeeper | undefined;
  const judgement = await judge(p, out, (picture, show) => {
    if (!pictured) return;
    worst ??= keepWorst(pictured, picture.isRight === undefined && picture.confidence === undefined);
    worst.see(picture, show);
  });
  const { figures, skipped } = judgement;
  if (figures) tellClasses(out, p.flag('json'), figures, judgement);
  else tellMeasured(out, p.flag('json'), judgement);
  if (!p.flag('json')) for (const { path: file, reason } of skipped) out.warn(`skipped ${file}: ${reason}`);
  if (path === undefined) return;
  writePage(path, p, judgement, worst!, `s2a eval ${args.join(' ')}`);
  out.note(`report ${path}`);
}
