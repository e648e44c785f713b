/** From a budget to a compiled program: the micro-batch is chosen here, the plan refused here. */
import { type Compiled, type CompileOptions, compile } from './compile.ts';
import { InputError } from './error.ts';
import { checkBudget } from './plan/memory.ts';
import { checkBatch } from './train.ts';

export interface FitOptions extends Omit<CompileOptions, 'microBatch'> {
  /** Pictures in one optimizer step. */
  batchSize: number;
  /** Pictures in one pass; chosen where absent. */
  microBatch?: number;
  /** Most bytes of linear memory; unlimited where absent. */
  budgetBytes?: number;
}

/** Without a budget, passes larger than this gain little and cost memory. */
const COMFORTABLE = 8;

/** Compiles with the micro-batch asked for, or with the largest that divides the batch and fits the budget. Throws BudgetError. */
export function fit({ batchSize, microBatch, budgetBytes, ...options }: FitOptions): Compiled {
  const at = (n: number): Compiled => compile({ ...options, microBatch: n });
  if (microBatch !== undefined) checkBatch(batchSize, microBatch);
  const candidates = microBatch !== undefined ? [microBatch] : divisors(batchSize).filter((d) => d <= COMFORTABLE);
  let compiled: Compiled | undefined;
  for (const n of candidates) {
    compiled = at(n);
    if (budgetBytes === undefined || compiled.plan.linearBytes <= budgetBytes) return compiled;
  }
  if (compiled === undefined || budgetBytes === undefined)
    throw new InputError({ where: '--batch-size', what: 'must be at least 1', got: batchSize });
  const one = compile({ ...options, microBatch: 1 });
  checkBudget(compiled.graph, compiled.plan, budgetBytes, { bytes: one.plan.linearBytes, how: `--micro-batch 1${hint(options)}` });
  return compiled;
}

const hint = ({ keep }: Omit<FitOptions, 'batchSize'>): string => (keep === 'exact' ? '; --keep s2a needs less' : '');

/** Divisors of n, largest first. */
export function divisors(n: number): number[] {
  return Array.from({ length: n }, (_, i) => n - i).filter((d) => n % d === 0);
}
