/** `s2a plan`: the itemised memory plan, from config.json; weights, where the folder has them, are held against it. */

import { DEFAULTS } from '../../src/base/defaults.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { writeAtomic, writeText } from '../../src/base/files.ts';
import { planReport } from '../../src/budget/report.ts';
import type { PlanOptions } from '../../src/budget/search.ts';
import { planForBudget } from '../../src/compile.ts';
import { checkFolderWeights, openModelFolder, preprocessOf } from '../../src/import/modelfolder.ts';
import type { Onnx } from '../../src/import/onnx/build.ts';
import { summaryOf } from '../../src/import/onnx/summary.ts';
import { chosenDrop } from '../../src/network/drop.ts';
import { readRate } from '../../src/passes/rates.ts';
import { isPictures } from '../../src/pictures/channels.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { timelineOf } from '../../src/report/plantimeline.ts';
import { timelineFile, timelinePage } from '../../src/report/timeline.ts';
import { budgetsOf, grid, gridLines, methodsOf } from './grid.ts';
import { method, type Parsed, PLAN_FLAGS, parse, read } from './options.ts';
import type { Output } from './output.ts';
import { planLines, planNotes } from './show.ts';

export function planOptions(p: Parsed, folder = p.positionals[0]!, isRow = false): PlanOptions {
  const base = openModelFolder(folder, read(p, 'imageSize'));
  const { model } = base;
  // A depth that this network of a table does not have makes a row that says so.
  checkFolderWeights(base, isRow ? {} : { method: method(p) });
  // What training would refuse is refused here too, unless it is of arrays that will be trained on.
  const pixels = read(p, 'pixels');
  if (pixels === undefined && isPictures(model.channels)) preprocessOf(base);
  return {
    model,
    classes: read(p, 'classes') ?? DEFAULTS.classes,
    batchSize: read(p, 'batchSize') ?? DEFAULTS.batchSize,
    // As a run does, which has a folder for the file.
    mayStream: true,
    // As a run has them that says nothing of its own.
    ...chosenDrop(model.drop, {}),
    ...defined({
      method: method(p),
      keep: read(p, 'keep'),
      weights: read(p, 'weightsOrAuto'),
      optimizer: read(p, 'optimizer'),
      microBatch: read(p, 'microBatch'),
      recompute: read(p, 'recompute'),
      rates: readRate(read(p, 'rate')).rates,
      residentBytes: read(p, 'resident'),
      budgetBytes: read(p, 'budget'),
      maxThreads: read(p, 'maxThreads'),
      pixels,
    }),
  };
}

const FLAGS = {
  ...PLAN_FLAGS,
  classes: 'text',
  pixels: 'text',
  program: 'text',
  timeline: 'text',
  grid: 'flag',
  methods: 'text',
  budgets: 'text',
} as const;

export function plan(args: string[], out: Output): void {
  const isGrid = args.includes('--grid');
  const usage = isGrid ? 's2a plan --grid <model folder…>' : 's2a plan <model folder>';
  const p = parse(args, FLAGS, { least: 1, most: isGrid ? 100 : 1, usage });
  if (isGrid) {
    showGrid(p, out);
    return;
  }
  for (const name of ['methods', 'budgets'])
    if (p.text(name) !== undefined) throw new InputError({ where: `--${name}`, what: 'is an option of --grid', hint: 'add --grid' });
  const picture = p.text('timeline');
  if (picture !== undefined && !/\.(html?|svg)$/.test(picture))
    throw new InputError({ where: '--timeline', what: 'unknown kind of picture', got: picture, expected: 'a file named .html or .svg' });
  const options = planOptions(p);
  const compiled = planForBudget(options);
  const report = planReport(compiled, options.batchSize, options.budgetBytes);
  const path = p.text('program');
  if (path !== undefined) writeAtomic(path, (write) => write(encodeProgram(compiled.program)));
  if (picture !== undefined) {
    const timeline = timelineOf(compiled, options.budgetBytes);
    writeText(picture, picture.endsWith('.svg') ? timelineFile(timeline) : timelinePage(timeline));
  }
  const graph = options.model.library === 'onnx' ? summaryOf((options.model.spec as Onnx).network) : undefined;
  if (p.flag('json')) out.json(graph === undefined ? report : { ...report, graph });
  else out.line(`${planLines(report)}\n\n${planNotes(report)}${graph === undefined ? '' : `\n\nthe graph: ${graph}`}`);
}

/** Options of one plan, and what a table has instead. */
const ONE_PLAN = {
  method: '--methods names several',
  budget: '--budgets names several',
  program: 'leave --grid out',
  timeline: 'leave --grid out',
};

function showGrid(p: Parsed, out: Output): void {
  for (const [name, hint] of Object.entries(ONE_PLAN))
    if (p.text(name) !== undefined) throw new InputError({ where: `--${name}`, what: 'is no option of --grid', hint });
  const jobs = p.positionals.map((folder) => ({ folder, options: planOptions(p, folder, true) }));
  const rows = grid(jobs, methodsOf(p), budgetsOf(p.text('budgets')));
  const { classes, batchSize } = jobs[0]!.options;
  const heading = `${classes} classes, batch ${batchSize}; time: a step's, predicted, over the same job's without a budget`;
  if (p.flag('json')) out.json(rows);
  else out.line(`${heading}\n\n${gridLines(rows)}`);
}
