/** Plans as text, word for word: a change of peak, kept bytes or slots shows in review. Rewritten by `UPDATE=1 node tools/test.mjs plan/print`. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nodesOf } from '../../src/graph/graph.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { printPlan } from '../../src/plan/print.ts';
import { compileNetwork, network } from '../support/network.ts';

const folder = 'test/golden/plans';
const PLANS: readonly [file: string, name: string, options: Partial<CompileOptions>][] = [
  ['vit-bias-s2a', 'vit-timm', { microBatch: 2 }],
  ['vit-full-exact', 'vit-timm', { microBatch: 1, method: 'full', keep: 'exact', optimizer: 'sgd' }],
  ['mobilenetv2-bias-s2a', 'mobilenetv2-hf', { microBatch: 2, optimizer: 'sgd' }],
];

for (const [file, name, options] of PLANS)
  test(`${file}: the plan is the one that was reviewed`, () => {
    const { graph, plan } = compileNetwork(network(name), options);
    const text = `${name}, ${JSON.stringify(options)}\n${printPlan(graph, plan)}\n`;
    for (const node of nodesOf(graph)) assert.ok(text.includes(` ${node.name}  `), node.name);
    const path = `${folder}/${file}.txt`;
    if (process.env.UPDATE) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path, text);
    }
    assert.ok(existsSync(path), `${path} is missing: UPDATE=1 node tools/test.mjs plan/print`);
    assert.fixture(text, readFileSync(path, 'utf8'), `UPDATE=1 node tools/test.mjs plan/print rewrites ${path}`);
  });

test.run();
