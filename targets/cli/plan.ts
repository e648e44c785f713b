/** `s2a plan`: the itemised memory plan, from config.json alone. */
import { openBase } from '../../src/base.ts';
import { writeAtomic, writeText } from '../../src/files.ts';
import { type FitOptions, fit } from '../../src/fit.ts';
import { planReport } from '../../src/planreport.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { timelineFile, timelinePage } from '../../src/report/timeline.ts';
import { timelineOf } from '../../src/timeline.ts';
import { bytes, defined, keep, method, optimizer, type Parsed, PLAN_FLAGS, parse, recompute, weightsOrAuto, whole } from './options.ts';
import type { Output } from './output.ts';
import { planLines, planNotes } from './show.ts';

export const planOptions = (p: Parsed): FitOptions => ({
  model: openBase(p.positionals[0]!, whole(p, 'image-size')).model,
  classes: whole(p, 'classes', 2) ?? 10,
  batchSize: whole(p, 'batch-size') ?? 16,
  ...defined({
    method: method(p),
    keep: keep(p),
    weights: weightsOrAuto(p),
    optimizer: optimizer(p),
    microBatch: whole(p, 'micro-batch'),
    recompute: recompute(p),
    budgetBytes: bytes(p, 'budget'),
    maxThreads: whole(p, 'max-threads'),
  }),
});

export function plan(args: string[], out: Output): void {
  const p = parse(
    args,
    { ...PLAN_FLAGS, classes: 'text', program: 'text', timeline: 'text' },
    { least: 1, most: 1, usage: 's2a plan <model folder>' },
  );
  const options = planOptions(p);
  const compiled = fit(options);
  const report = planReport(compiled, options.batchSize, options.budgetBytes);
  const path = p.text('program');
  if (path !== undefined) writeAtomic(path, (write) => write(encodeProgram(compiled.program)));
  const picture = p.text('timeline');
  if (picture !== undefined) {
    const timeline = timelineOf(compiled, options.budgetBytes);
    writeText(picture, picture.endsWith('.svg') ? timelineFile(timeline) : timelinePage(timeline));
  }
  if (p.flag('json')) out.json(report);
  else out.line(`${planLines(report)}\n\n${planNotes(report)}`);
}
