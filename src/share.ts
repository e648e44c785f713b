/** What a run may share out before it begins: threads, and the memory of a whole process. */
import { type Bytes, parseBytes } from './bytes.ts';
import type { Compiled } from './compile.ts';
import { decoderOverheadBytes, defaultDecoderBytes } from './data/decode.ts';
import { BudgetError } from './error.ts';
import { shareProcess } from './footprint.ts';
import { type Threads, threadsOf } from './team.ts';

/** How many threads walk the plan and what the decoder may take; under a whole-process budget only as many threads as it holds. */
export function shareThreads(
  job: { threads?: Threads; processBudget?: Bytes },
  { plan }: Compiled,
): { threads: number; decoderBytes: number } {
  let threads = threadsOf(job.threads ?? 'auto', plan);
  if (job.processBudget === undefined) return { threads, decoderBytes: defaultDecoderBytes };
  const budget = parseBytes(job.processBudget, '--process-budget');
  const decoder = { wantedBytes: defaultDecoderBytes, overheadBytes: decoderOverheadBytes };
  for (; ; threads--) {
    // Scratch of threads that do not run is never touched.
    const linear = plan.linearBytes - (plan.maxThreads - threads) * plan.scratch.bytes;
    try {
      return { threads, decoderBytes: shareProcess(budget, linear, threads, decoder) };
    } catch (error) {
      // What nobody asked for by number is not worth a refusal.
      if (!(error instanceof BudgetError) || threads === 1 || typeof job.threads === 'number') throw error;
    }
  }
}
