/** What a run may share out before it begins: threads, and the memory of a whole process. */

import { type Bytes, parseBytes } from '../base/bytes.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { BudgetError } from '../base/error.ts';
import { checkProcess, decoderShare } from '../base/processmemory.ts';
import { type Threads, threadsOf } from '../engine/threads.ts';
import { defaultDecoderBytes } from '../input/decoderlimit.ts';
import type { Compiled } from '../pipeline/compiled.ts';

/** The most that decoding one picture may take: by the options alone, since it decides which pictures are skipped. */
export const decoderBytesOf = ({ processBudget }: { processBudget?: Bytes | undefined }): number =>
  processBudget === undefined ? defaultDecoderBytes : decoderShare(parseBytes(processBudget, '--process-budget'), defaultDecoderBytes);

/** How many threads walk the plan; under a whole-process budget only as many as it holds. BudgetError where it does not hold one. */
export function shareThreads(job: { threads?: Threads; processBudget?: Bytes }, { plan }: Compiled): number {
  let threads = threadsOf(job.threads ?? DEFAULTS.threads, plan);
  if (job.processBudget === undefined) return threads;
  const budget = parseBytes(job.processBudget, '--process-budget');
  for (; ; threads--) {
    // Scratch of threads that do not run is never touched.
    const linear = plan.linearBytes - (plan.maxThreads - threads) * plan.scratch.bytes;
    try {
      checkProcess(budget, linear, threads);
      return threads;
    } catch (error) {
      // What nobody asked for by number is not worth a refusal.
      if (!(error instanceof BudgetError) || threads === 1 || typeof job.threads === 'number') throw error;
    }
  }
}
