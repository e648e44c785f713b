/** The operator table: every operator of the contract against its oracle, through graph, derivative, plan and engine. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPS } from '../../src/ops/index.ts';
import { attentionCases } from './cases/attention.ts';
import { denseCases } from './cases/dense.ts';
import { dropCases } from './cases/drop.ts';
import { elementwiseCases } from './cases/elementwise.ts';
import { endsCases } from './cases/ends.ts';
import { gateCases } from './cases/gate.ts';
import { groupNormCases, groupStatsCases } from './cases/groupnorm.ts';
import { initCases } from './cases/init.ts';
import { lossesCases } from './cases/losses.ts';
import { moduleCases } from './cases/module.ts';
import { normCases } from './cases/norm.ts';
import { quantizeCases } from './cases/quantize.ts';
import { rateCases } from './cases/rate.ts';
import { spatialCases } from './cases/spatial.ts';
import { tokensCases } from './cases/tokens.ts';
import { updateCases } from './cases/update.ts';
import { windowCases } from './cases/window.ts';
import { checkDirect, checkForward, seen } from './table.ts';

const forward = [
  ...denseCases,
  ...spatialCases,
  ...elementwiseCases,
  ...normCases,
  ...attentionCases,
  ...tokensCases,
  ...moduleCases,
  ...windowCases,
  ...gateCases,
  ...dropCases,
  ...groupNormCases,
];
for (const c of forward) test(c.name, () => checkForward(c));
for (const c of [...endsCases, ...lossesCases, ...updateCases, ...rateCases, ...initCases, ...quantizeCases, ...groupStatsCases])
  test(c.name, () => checkDirect(c));

test('every operator has a case', () => {
  const abi = readFileSync('assembly/abi/ops.ts', 'utf8').replace(/\/\/.*/g, '');
  const ops = /const enum Op \{([^}]*)\}/
    .exec(abi)![1]!
    .match(/\w+/g)!
    .filter((word) => /^[A-Z]/.test(word));
  assert.ok(ops.length >= 30);
  assert.equal(
    ops.filter((op) => !seen.ops.has(op)),
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
