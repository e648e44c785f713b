/** From a budget to a compiled program: the micro-batch is chosen here, the plan refused here. */
import { type Compiled, type CompileOptions, compile } from './compile.ts';
import { InputError } from './error.ts';
import { checkBudget, PAGE } from './plan/memory.ts';
import { checkBatch } from './train.ts';

export interface FitOptions extends Omit<CompileOptions, 'microBatch'> {
  /** Pictures in one optimizer step. */
  batchSize: number;
  /** Pictures in one pass; chosen where absent. */
  microBatch?: number;
  /** Most bytes of linear memory; unlimited where absent. */
  budgetBytes?: number;
  /** Threads that scratch is reserved for, as many of them as the budget allows; 4 where absent. */
  maxThreads?: number;
}

/** Where nothing is said: what the processors of small boards have. */
export const MAX_THREADS = 4;

/**
 * Input pixels in one pass where the budget would allow more: two pictures of 224×224, ten of 96×96. Measured (bench/profile.mjs): below it
 * products get too few rows, above it activations fall out of the caches (MobileNetV2 at 224×224 by 8 pictures: 8 % slower than by 2).
 */
const COMFORTABLE_PIXELS = 2 * 224 * 224;

/** Most linear memory that 32-bit addresses reach. */
const LINEAR_LIMIT = 65536 * PAGE;

/** Compiles with the micro-batch asked for, or with the largest that divides the batch and fits the budget. Throws BudgetError. */
export function fit({ batchSize, microBatch, budgetBytes = LINEAR_LIMIT, maxThreads = MAX_THREADS, ...options }: FitOptions): Compiled {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new InputError({ where: '--batch-size', what: 'must be at least 1', got: batchSize });
  if (microBatch !== undefined) checkBatch(batchSize, microBatch);
  const at = (n: number, threads = 1): Compiled => compile({ ...options, microBatch: n, maxThreads: threads });
  const [height, width] = options.model.image;
  const comfortable = Math.max(1, Math.floor(COMFORTABLE_PIXELS / (height * width)));
  const candidates = microBatch !== undefined ? [microBatch] : divisors(batchSize, comfortable);
  let compiled: Compiled | undefined;
  for (const n of candidates) {
    compiled = at(n);
    const room = Math.min(budgetBytes, LINEAR_LIMIT) - compiled.plan.linearBytes;
    if (room < 0) continue;
    // Threads get what is left: so the micro-batch, and with it every result, is the same for any number of them.
    const threads = Math.min(maxThreads, 1 + Math.floor((room + slack(compiled)) / compiled.plan.scratch.bytes));
    return threads > 1 ? at(n, threads) : compiled;
  }
  const [last, one] = [compiled as Compiled, microBatch === 1 ? (compiled as Compiled) : at(1)];
  const smallest = { bytes: one.plan.linearBytes, how: `--micro-batch 1${hint(options)}` };
  checkBudget(last.graph, last.plan, Math.min(budgetBytes, LINEAR_LIMIT), smallest);
  return last;
}

/** Bytes of the last page that a plan leaves empty. */
const slack = ({ plan: { linearBytes, scratch, maxThreads } }: Compiled): number =>
  linearBytes - (scratch.offset + scratch.bytes * maxThreads);

const hint = ({ keep }: Omit<FitOptions, 'batchSize'>): string => (keep === 'exact' ? '; --keep s2a needs less' : '');

/** Divisors of n up to `most`, largest first. */
export function divisors(n: number, most = n): number[] {
  return Array.from({ length: Math.min(n, most) }, (_, i) => Math.min(n, most) - i).filter((d) => n % d === 0);
}
