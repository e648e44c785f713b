/** `s2a print`: the compiled program as text. */
import { fit } from '../../src/fit.ts';
import { printProgram } from '../../src/program/print.ts';
import { PLAN_FLAGS, parse } from './options.ts';
import type { Output } from './output.ts';
import { planOptions } from './plan.ts';

export function print(args: string[], out: Output): void {
  const p = parse(args, { ...PLAN_FLAGS, classes: 'text' }, { least: 1, most: 1, usage: 's2a print <model folder>' });
  const compiled = fit(planOptions(p));
  out.line(printProgram(compiled.program, compiled));
}
