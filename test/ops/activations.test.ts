/** The table of activations against PyTorch, and what follows from it. */

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode8, isPiecewise, LAST_KIND } from '../../assembly/generated/kinds.ts';
import { ACTIVATION_NAMES, ACTIVATIONS, type Activation, activationAt, everyActivation } from '../../src/ops/activations.ts';
import { choicesOf, type KeepClass } from '../../src/ops/keepclasses.ts';
import { tables } from '../../src/passes/codebooktables.ts';

interface Golden {
  x: number[];
  functions: Record<string, { f: number[]; df: number[] }>;
}
const golden = JSON.parse(readFileSync('test/golden/activations.json', 'utf8')) as Golden;

test("f and f′ are PyTorch's, at the kinks too", () => {
  for (const [name, { f, df }] of Object.entries(ACTIVATIONS)) {
    const want = golden.functions[name];
    assert.ok(want, `${name}: not in test/golden/activations.json (tools/golden/activations.py writes it)`);
    golden.x.forEach((x, i) => {
      const near = (got: number, wanted: number, what: string) =>
        assert.ok(Math.abs(got - wanted) <= 1e-8 * Math.max(1, Math.abs(wanted)), `${name}: ${what}(${x}) = ${got}, PyTorch ${wanted}`);
      near(f(x), want!.f[i]!, 'f');
      near(df(x), want!.df[i]!, 'f′');
    });
  }
});

test('numbers, names and tables: every function has its own', () => {
  const rows = everyActivation();
  assert.equal(
    rows.map((row) => row.kind),
    rows.map((_, i) => i + 1),
  );
  assert.is(rows.length, LAST_KIND);
  const names = rows.flatMap((row) => row.names);
  assert.is(new Set(names).size, names.length);
  assert.is(Object.keys(ACTIVATION_NAMES).length, names.length);
  for (const row of rows as Activation[]) {
    assert.is(isPiecewise(row.kind), row.isPiecewise ?? false);
    assert.is(hasCode8(row.kind), !row.isPiecewise && !row.isSteep);
    assert.is(tables[row.kind as keyof typeof tables] !== undefined, !row.isPiecewise, `${row.title}: codes`);
    const choices = choicesOf(row.keep as KeepClass);
    assert.ok(choices.includes(row.isPiecewise ? '1' : '4'));
    assert.is(choices.includes('8'), hasCode8(row.kind), `${row.title}: 8 bits`);
  }
  assert.throws(() => activationAt(LAST_KIND + 1), /no such function/);
});

test('an 8-bit code holds f′ where the table says so', () => {
  for (const { df, isPiecewise, isSteep, title } of everyActivation() as Activation[]) {
    let steepest = 0;
    for (let x = -12; x <= 12; x += 1 / 64) steepest = Math.max(steepest, Math.abs(df(x) - 0.5));
    if (!isPiecewise) assert.is(steepest > 1, isSteep ?? false, title);
  }
});

test('docs/keep.md lists every function and every name', () => {
  const page = readFileSync('docs/keep.md', 'utf8');
  for (const { title, keep, names } of everyActivation()) {
    assert.ok(page.includes(`| ${title} | \`${keep}\` |`), title);
    for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
  }
});

test.run();
