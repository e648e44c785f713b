/** Plans and results as lines. */
import type { PlanReport } from '../../src/planreport.ts';
import { planTable } from '../../src/report/terminal.ts';

/** Heading and table of one plan. */
export function planLines(report: PlanReport): string {
  const { model, imageSize, classes, method, keep, batchSize, microBatch, budgetBytes } = report;
  const head = `${model} ${imageSize.join('x')}, ${classes} classes, method ${method}, keep ${keep}, batch ${batchSize} in passes of ${microBatch}`;
  return `${head}\n\n${planTable([{ label: 'plan', parts: report.parts, linearBytes: report.linearBytes }], budgetBytes ?? undefined)}`;
}
