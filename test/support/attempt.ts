import { BudgetError } from '../../src/base/error.ts';
import type { PlanOptions } from '../../src/budget/search.ts';
import { planForBudget } from '../../src/compile.ts';

/** What fits the budget, or the refusal that says what would. */
export const attempt = (options: PlanOptions) => {
  try {
    return planForBudget(options);
  } catch (error) {
    if (error instanceof BudgetError) return error;
    throw error;
  }
};
