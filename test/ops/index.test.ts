/** The operator table: every operator of the contract against its oracle, through graph, derivative, plan and engine. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPS } from '../../src/ops/index.ts';
import { directCases } from './direct.ts';
import { forwardCases } from './forward.ts';
import { ASKING, checkDirect, checkForward, seen } from './table.ts';

for (const c of forwardCases) test(c.name, () => checkForward(c));
for (const c of directCases) test(c.name, () => checkDirect(c));

test('every operator has a case', () => {
  const abi = readFileSync('assembly/abi/ops.ts', 'utf8').replace(/\/\/.*/g, '');
  const ops = /const enum Op \{([^}]*)\}/
    .exec(abi)![1]!
    .match(/\w+/g)!
    .filter((word) => /^[A-Z]/.test(word));
  assert.ok(ops.length >= 30);
  assert.equal(
    ops.filter((op) => !seen.ops.has(op) && !ASKING.includes(op)),
    [],
  );
});

test('every pair of operands that may share memory did', () => {
  const pairs = Object.entries(OPS).flatMap(([op, def]) => (def.inPlace ?? []).map(([i, o]) => `${op} ${i}→${o}`));
  assert.equal(
    pairs.filter((pair) => !seen.inPlace.has(pair)),
    [],
  );
});

test.run();
