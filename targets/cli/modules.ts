/** `s2a modules`: what would learn, tensor by tensor. */

import { visible } from '../../src/base/visible.ts';
import { planReport } from '../../src/budget/report.ts';
import { planForBudget } from '../../src/compile.ts';
import { numel } from '../../src/graph/graph.ts';
import { table } from '../../src/report/terminal.ts';
import { PLAN_FLAGS, parse } from './options.ts';
import type { Output } from './output.ts';
import { planOptions } from './plan.ts';

export function modules(args: string[], out: Output): void {
  const p = parse(args, { ...PLAN_FLAGS, classes: 'text' }, { least: 1, most: 1, usage: 's2a modules <model folder>' });
  const options = planOptions(p);
  const compiled = planForBudget(options);
  const { trainable } = planReport(compiled, options.batchSize, undefined);
  // What follows the last block counts as one more.
  const blocks = Math.max(...compiled.graph.phases.train.map(({ block }) => block));
  const total = Math.round((100 * trainable.count) / trainable.percent);
  const tensors = compiled.program.parameters.map(({ name, shape }) => ({ name, shape, count: numel(shape) }));
  if (p.flag('json')) {
    out.json({ method: compiled.program.about.method, blocks, tensors, trainable: { ...trainable, total } });
    return;
  }
  out.line(table(tensors.map(({ name, shape, count }) => [name, `[${shape.join(', ')}]`, String(count)])));
  out.line(
    `\n${visible(compiled.program.about.method)}: ${trainable.count} of ${total} numbers learn (${trainable.percent.toFixed(3)} %); ${blocks} ${blocks === 1 ? 'block' : 'blocks'}`,
  );
}
