/** The picture of memory over one step says what the plan says. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planForBudget } from '../../src/compile.ts';
import { nodesOf } from '../../src/graph/graph.ts';
import { readModel } from '../../src/import/index.ts';
import { timelineOf } from '../../src/report/plantimeline.ts';
import { timelineChart, timelineFile, timelinePage } from '../../src/report/timeline.ts';
import { modelFolder } from '../support/golden.ts';

const MIB = 2 ** 20;
const compiled = planForBudget({ model: readModel(modelFolder('vit-hf')), classes: 10, batchSize: 4, microBatch: 2 });
const t = timelineOf(compiled, 64 * MIB);

test('every node of every phase is a moment, in order, and stretches cover them without a gap', () => {
  assert.equal(
    t.moments.map(({ node, op }) => [node, op]),
    nodesOf(compiled.graph).map(({ name, op }) => [name, op]),
  );
  let at = 0;
  for (const { first, count } of t.stretches) {
    assert.is(first, at);
    at += count;
  }
  assert.is(at, t.moments.length);
  assert.equal(
    t.stretches.map((s) => s.name).filter((name) => name !== 'init'),
    ['forward', 'backward', 'update', 'eval'],
  );
});

test('forward ends with the loss; what is kept is there then, and gone before the update', () => {
  const at = Object.fromEntries(t.stretches.map((s) => [s.name, s]));
  const last = at.forward!.first + at.forward!.count - 1;
  assert.is(t.moments[last]!.op, 'CrossEntropy');
  assert.ok(t.moments[last]!.kept > 0);
  for (const { kept } of t.moments.slice(at.update!.first)) assert.is(kept, 0);
});

test('the peak is the highest moment; with what stays it is the linear memory but for padding and fragmentation', () => {
  const { plan } = compiled;
  assert.is(Math.max(...t.moments.map((m) => m.live)), t.moments[t.peak]!.live);
  const sum = Object.values(t.residents).reduce((a, b) => a + b, 0) + t.moments[t.peak]!.live;
  assert.is(sum, plan.linearBytes - plan.parts.padding);
});

test('the chart marks peak, budget and linear memory, and nothing in it is a wrong number', () => {
  for (const text of [timelineChart(t), timelineFile(t), timelinePage(t)]) {
    assert.ok(text.includes(`at ${t.moments[t.peak]!.node}`));
    assert.ok(text.includes('budget 64.0 MiB'));
    assert.ok(text.includes(`linear memory ${(t.linearBytes / MIB).toFixed(1)} MiB`));
    assert.not.match(text, /NaN|undefined|Infinity/);
    assert.not.match(text, /<script|<link|@import|url\(/);
  }
  assert.match(timelineFile(t), /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="\d+" height="\d+" viewBox/);
  assert.not.ok(timelineChart({ ...t, budgetBytes: undefined }).includes('budget'));
});

test('a long step is thinned without losing its peak', () => {
  const moments = Array.from({ length: 5000 }, (_, i) => ({ node: `n${i}`, op: 'Add', live: i === 3333 ? MIB : 1000, kept: 500 }));
  const long = { ...t, moments, peak: 3333, stretches: [{ name: 'forward' as const, first: 0, count: 5000 }] };
  const svg = timelineChart(long);
  assert.ok(svg.split('class="hover"').length - 1 <= 900);
  assert.match(svg, /n3333 \(Add\): 1\.0 MiB alive/);
});

test.run();
