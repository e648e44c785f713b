/** `s2a plan --grid`: which models, methods and budgets go together. */

import { mebibytes, parseBytes } from '../../src/base/bytes.ts';
import { DEFAULTS } from '../../src/base/defaults.ts';
import { BudgetError, InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { type PlanReport, planReport } from '../../src/budget/report.ts';
import type { PlanOptions } from '../../src/budget/search.ts';
import { planForBudget } from '../../src/compile.ts';
import { type Method, methodOf } from '../../src/network/method.ts';
import { PAGE } from '../../src/plan/memory.ts';
import { table } from '../../src/report/terminal.ts';
import { limited, type Parsed } from './options.ts';

/** One combination: a plan, or the smallest budget that it would need. */
export interface GridRow {
  /** The model's folder. */
  folder: string;
  method: string;
  budgetBytes: number | null;
  fits: boolean;
  plan: PlanReport | undefined;
  smallestBytes: number | undefined;
  /** Why this network cannot learn by this method at all. */
  reason: string | undefined;
}

export const GRID_METHODS = ['probe', 'bias', 'bias+prompt+side', 'lora', 'full'];

/** `16MiB,32MiB`; absent: see `ladder`. */
export const budgetsOf = (text: string | undefined): number[] | undefined => text?.split(',').map((word) => parseBytes(word, '--budgets'));

export const methodsOf = (p: Parsed): Method[] => (p.text('methods')?.split(',') ?? GRID_METHODS).map((name) => limited(p, name));

/** Everything tried, in the order of the table. Throws InputError where --last or --depth fits none of the networks. */
export function grid(
  jobs: readonly { folder: string; options: PlanOptions }[],
  methods: readonly Method[],
  budgets?: readonly number[],
): GridRow[] {
  const rows = jobs.flatMap(({ folder, options }) =>
    methods.flatMap((method) => {
      // Without budgets to try, the table is of weights in memory.
      const mayStream = budgets !== undefined;
      const tried = (budgetBytes: number | undefined): GridRow => attempt(folder, { ...options, method, mayStream }, budgetBytes);
      const free = tried(undefined);
      if (free.reason !== undefined) return [free];
      return [...(budgets ?? ladder(tried(PAGE).smallestBytes, free.plan?.linearBytes)).map(tried), free];
    }),
  );
  // A number of blocks that no network has is no table.
  if (rows.every(({ reason }) => reason !== undefined && /^--(last|depth)\b/.test(reason)))
    planForBudget({ ...jobs[0]!.options, method: methods[0]! });
  return rows;
}

/** The smallest budget that works, and one halfway to what the job takes when it may take anything. */
function ladder(smallest: number | undefined, most: number | undefined): number[] {
  if (smallest === undefined || most === undefined || smallest >= most) return [];
  const half = Math.ceil((smallest + most) / 2 / PAGE) * PAGE;
  return half < most && half > smallest ? [smallest, half] : [smallest];
}

function attempt(folder: string, options: PlanOptions, budgetBytes: number | undefined): GridRow {
  const { budgetBytes: _, ...rest } = options;
  const row = { folder, method: methodOf(options.method ?? DEFAULTS.method).name, budgetBytes: budgetBytes ?? null, reason: undefined };
  try {
    const compiled = planForBudget(budgetBytes === undefined ? rest : { ...rest, budgetBytes });
    return { ...row, fits: true, plan: planReport(compiled, options.batchSize, budgetBytes), smallestBytes: undefined };
  } catch (error) {
    // Of several models one may have no layer for a module, or too few blocks: that is a row, not the end of the table.
    if (error instanceof InputError && /^--(method|last|depth)\b/.test(error.message))
      return { ...row, fits: false, plan: undefined, smallestBytes: undefined, reason: error.message };
    if (!(error instanceof BudgetError)) throw error;
    return { ...row, fits: false, plan: undefined, smallestBytes: error.smallestBytes };
  }
}

/** `0.98x`, `1.12x`: predicted time of a step over that of the same job without a budget. */
const times = (relative: number | null): string => (relative === null ? '' : `${relative.toFixed(2)}x`);

/** A table a model; the method stands once, above the budgets that were tried with it. */
export function gridLines(rows: readonly GridRow[]): string {
  const head = ['method', 'budget', 'linear memory', 'passes', 'keep', 'weights', 'recompute', 'time'];
  const folders = [...new Set(rows.map((row) => row.folder))];
  return folders
    .map((folder) => {
      let above = '';
      const lines = rows
        .filter((row) => row.folder === folder)
        .map(({ method, budgetBytes, plan, smallestBytes, reason }) => {
          const start = [method === above ? '' : method, budgetBytes === null ? 'any' : mebibytes(budgetBytes)];
          above = method;
          if (reason !== undefined) return [method, '', 'not for this network', '', '', '', '', ''];
          if (plan === undefined) return [...start, `needs ${mebibytes(smallestBytes!)}`, '', '', '', '', ''];
          const { passes, recompute, relativeTime } = plan.choices;
          const memory = mebibytes(plan.linearBytes);
          const weights = plan.stored ? `${plan.weights},stream` : plan.weights;
          return [...start, memory, `${passes} x ${plan.microBatch}`, plan.keep, weights, recompute, times(relativeTime)];
        });
      const reasons = rows.filter((row) => row.folder === folder).flatMap(({ reason }) => reason ?? []);
      const text = [table([head, ...lines]), ...reasons.map(visible)].join('\n');
      return folders.length > 1 ? `${visible(folder)}\n${text}` : text;
    })
    .join('\n\n');
}
