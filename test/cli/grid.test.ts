/** The table of models, methods and budgets. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlanReport } from '../../src/budget/report.ts';
import type { GridRow } from '../../targets/cli/grid.ts';
import { modelFolder } from '../support/golden.ts';
import { asks, does, refuses, s2a } from './command.ts';

const vit = modelFolder('vit-hf');
const mobile = modelFolder('mobilenetv2-hf');

test('what fits is the plan of that budget; what does not names the smallest that does', () => {
  const rows = asks<GridRow[]>(
    ...['plan', '--grid', vit, mobile, '--batch-size', '4', '--methods', 'bias,full', '--budgets', '192KiB,1MiB,64MiB'],
  );
  assert.is(rows.length, 2 * 2 * 4);
  for (const { folder, method, budgetBytes, fits, plan, smallestBytes } of rows) {
    const job = [folder, '--batch-size', '4', '--method', method];
    if (budgetBytes === null) assert.ok(fits);
    else if (fits) {
      assert.ok(plan!.linearBytes <= budgetBytes);
      const { linearBytes } = asks<PlanReport>(...['plan', ...job, '--budget', `${budgetBytes}`]);
      assert.is(plan!.linearBytes, linearBytes);
    } else {
      assert.ok(smallestBytes! > budgetBytes);
      does(...['plan', ...job, '--budget', `${smallestBytes}`]);
      assert.is(s2a(...['plan', ...job, '--budget', `${smallestBytes! - 65536}`]).code, 3);
    }
  }
  assert.ok(rows.some((row) => row.fits) && rows.some((row) => !row.fits));
});

test('as a table, a person can read it: no line is wider than the words in it need', () => {
  const { stdout } = does(...['plan', '--grid', vit, '--batch-size', '4', '--budgets', '192KiB,64MiB']);
  assert.match(stdout, /method +budget +linear memory +passes +keep +weights +recompute +time/);
  assert.match(stdout, /bias\+prompt.*\+side.* +0\.2 MiB +needs [\d.]+ MiB\n +64\.0 MiB +[\d.]+ MiB +\d+ x \d+ /);
  assert.match(stdout, /full .*needs [\d.]+ MiB/);
});

test('a method that a network has no layer for is a row that says why', () => {
  const rows = asks<GridRow[]>(...['plan', '--grid', vit, mobile, '--batch-size', '4', '--methods', 'lora', '--budgets', '64MiB']);
  assert.equal(
    rows.map(({ folder, fits }) => [folder, fits]),
    [
      [vit, true],
      [vit, true],
      [mobile, false],
    ],
  );
  assert.match(rows[2]!.reason!, /^--method lora: no layer that learns/);
  const { stdout } = does(...['plan', '--grid', mobile, '--batch-size', '4', '--methods', 'lora']);
  assert.match(stdout, /^lora.* not for this network\n--method lora: no layer that learns is .*; lora:all=1 may have one$/m);
});

test('--last and --depth hold for every row; options of one plan are refused', () => {
  const flags = ['--batch-size', '4', '--methods', 'bias,full', '--budgets', '64MiB'];
  const rows = asks<GridRow[]>(...['plan', '--grid', vit, mobile, ...flags, '--depth', '4', '--last', '2']);
  assert.match(rows[0]!.reason!, /^--depth: does not end a network of 3 blocks early, got 4, expected a whole number from 1 to 2$/);
  const { plan } = rows.find(({ folder, method }) => folder === mobile && method === 'bias+last:blocks=2+depth:blocks=4')!;
  const alone = asks<PlanReport>(...['plan', mobile, '--batch-size', '4', '--last', '2', '--depth', '4', '--budget', '64MiB']);
  assert.is(plan!.linearBytes, alone.linearBytes);
  assert.ok(alone.linearBytes < asks<PlanReport>(...['plan', mobile, '--batch-size', '4', '--budget', '64MiB']).linearBytes);
  refuses(2, ['plan', '--grid', vit, '--depth', '9'], '--depth: does not end a network of 3 blocks early');
  refuses(2, ['plan', '--grid', vit, mobile, '--last', '99'], '--last: the network has fewer blocks');
  refuses(2, ['plan', '--grid', vit, '--method', 'bias'], '--method: is no option of --grid', '--methods');
  refuses(2, ['plan', '--grid', vit, '--budget', '1MiB'], '--budget: is no option of --grid', '--budgets');
  refuses(2, ['plan', '--grid', vit, '--timeline', 'x.html'], '--timeline: is no option of --grid');
});

test('without --budgets: the smallest that works, one halfway, and what it takes when it may take anything', () => {
  const rows = asks<GridRow[]>(...['plan', '--grid', vit, '--batch-size', '4', '--methods', 'bias']);
  assert.ok(rows.every((row) => row.fits) && rows.length >= 2);
  assert.is(rows.at(-1)!.budgetBytes, null);
  // Below it weights go into a file.
  const below = asks<PlanReport>(...['plan', vit, '--batch-size', '4', '--budget', `${rows[0]!.budgetBytes! - 65536}`]);
  assert.is(below.stored!.residentNeedsBytes, rows[0]!.budgetBytes);
});

test('options of the grid alone are refused without it, unknown methods and sizes always', () => {
  refuses(2, ['plan', vit, '--methods', 'bias'], '--grid');
  refuses(2, ['plan', '--grid', vit, '--methods', 'bia'], 'bia');
  refuses(2, ['plan', '--grid', vit, '--budgets', '16 apples'], '--budgets');
});

test.run();
