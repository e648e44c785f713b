/** A plan where no folder is the run's own: weights are streamed from a file only if one is named. */
import { BudgetError } from '../base/error.ts';
import type { Planned, PlanOptions } from '../budget/search.ts';
import { planForBudget } from '../compile.ts';
import { checkStored } from '../engine/storedfile.ts';

/**
 * As `planForBudget`. `stored`: the file in which weights may stay where they are to be streamed, or where the budget does not hold them. Throws InputError for a file
 * that is missing or of no use, and BudgetError, which says what a file would make possible.
 */
export function planWithFile(options: PlanOptions, stored: string | undefined): Planned {
  try {
    const planned = planForBudget({ ...options, mayStream: stored !== undefined });
    const mayStay = stored !== undefined && options.budgetBytes !== undefined;
    if (!mayStay || planned.chosen.streaming) checkStored(planned.chosen.streaming !== undefined, stored);
    return planned;
  } catch (error) {
    if (stored !== undefined || !(error instanceof BudgetError)) throw error;
    const streamed = leastStreamed(options);
    if (streamed === undefined || streamed >= error.smallestBytes) throw error;
    const hint = `${error.hint}; with --weights stream, from a file, ${streamed / 1024}KiB is enough`;
    throw new BudgetError({ ...error.parts, hint }, error.smallestBytes);
  }
}

/** The least budget with streamed weights. */
function leastStreamed(options: PlanOptions): number | undefined {
  try {
    planForBudget({ ...options, budgetBytes: 1, mayStream: true });
    return undefined;
  } catch (error) {
    if (error instanceof BudgetError) return error.smallestBytes;
    throw error;
  }
}
