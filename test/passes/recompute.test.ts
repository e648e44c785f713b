/** Blocks computed again: the forward result stays, gradients stay where inputs are kept in f32, and come close where they are coded. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import type { BudgetError } from '../../src/base/error.ts';
import { planForBudget } from '../../src/compile.ts';
import { readParameter } from '../../src/engine/engine.ts';
import type { Bits, Recompute } from '../../src/passes/recompute.ts';
import type { Compiled } from '../../src/pipeline/compiled.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { goldenCase } from '../support/golden.ts';
import { compileNetwork, feed, load, type Network, network, newEngine, randomHead } from '../support/network.ts';

const NETWORKS = ['vit-hf', 'deit-timm', 'swin-hf', 'resnet-hf', 'mobilenetv2-hf', 'convnext-hf'];
const METHODS = [
  'bias',
  'bias+prompt:rank=2+side:ratio=4',
  'side:ratio=4,tap=0',
  'lora:all=1',
  'full',
  'bias+side:ratio=4+last:blocks=2',
  'probe',
];
const AUGMENT = { shift: 3, flip: true };

/** Blocks of a network by index, -1 before the first. */
function blocksOf({ graph }: Compiled): number[] {
  const forward = graph.phases.train.filter((n) => !n.isBackward);
  return [...new Set(forward.map((n) => n.block))].slice(0, -1);
}
const every = (blocks: readonly number[], bits: Bits): Recompute => new Map(blocks.map((b) => [b, bits]));

interface Pass {
  compiled: Compiled;
  losses: number[];
  gradients: Map<string, Float32Array>;
}

/** One pass, or two with an update between them: module weights that start at zero have gradients then. */
function pass(net: Network, options: Partial<CompileOptions>, passes = 1): Pass {
  const compiled = compileNetwork(net, { microBatch: 2, augment: AUGMENT, optimizer: 'sgd', ...options });
  const engine = newEngine(compiled.program);
  load(engine, net);
  randomHead(engine);
  feed(engine, net);
  engine.run('train');
  for (let i = 1; i < passes; i++) {
    engine.run('update');
    engine.run('train');
  }
  const gradients = new Map(engine.program.parameters.map((p) => [p.name, readParameter(engine, p, p.gradient)]));
  return { compiled, losses: [...engine.ints(Io.Losses)], gradients };
}

const cosine = (a: Iterable<Float32Array>, b: Iterable<Float32Array>): number => {
  const [x, y] = [[...a], [...b]].map((list) => list.flatMap((g) => [...g])) as [number[], number[]];
  const dot = (u: number[], v: number[]): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
};

for (const name of NETWORKS)
  test(`${name}: every block again from f32 inputs, the same gradients to the bit`, () => {
    const net = network(name);
    for (const [i, method] of METHODS.entries())
      for (const keep of i === 0 ? (['exact', 's2a'] as const) : (['s2a'] as const)) {
        const plain = pass(net, { method, keep }, 2);
        const again = pass(net, { method, keep, recompute: every(blocksOf(plain.compiled), 32) }, 2);
        assert.equal(again.losses, plain.losses, `${method}, ${keep}: losses`);
        for (const [parameter, gradient] of again.gradients)
          assert.equal(gradient, plain.gradients.get(parameter), `${method}, ${keep}: ${parameter}`);
      }
  });

for (const name of NETWORKS)
  test(`${name}: one block at a time, and inputs of 8 and 4 bits`, () => {
    const net = network(name);
    const method = 'bias+side:ratio=4';
    const plain = pass(net, { method });
    const blocks = blocksOf(plain.compiled);
    const middle = blocks[blocks.length >> 1]!;
    const one = pass(net, { method, recompute: every([middle], 32) });
    for (const [parameter, gradient] of one.gradients) assert.equal(gradient, plain.gradients.get(parameter), parameter);
    for (const [bits, least] of [
      [8, 0.97],
      [4, 0.95],
    ] as const) {
      const coded = pass(net, { method, recompute: every(blocks, bits) });
      assert.equal(coded.losses, plain.losses, 'the forward pass is what it was');
      const near = cosine(coded.gradients.values(), plain.gradients.values());
      assert.ok(near > least, `${bits} bits: cosine ${near}`);
      assert.is.not(near, 1, 'coded inputs change gradients, or are not used');
    }
  });

test('dropped paths are dropped again, for masks are functions of counters', () => {
  for (const name of ['vit-hf', 'convnext-hf']) {
    const net = network(name);
    const drop = { dropout: 0.2, dropPath: 0.5 };
    const plain = pass(net, drop);
    assert.is.not(plain.losses.join(), pass(net, {}).losses.join(), 'nothing is dropped');
    const again = pass(net, { ...drop, recompute: every(blocksOf(plain.compiled), 32) });
    assert.ok(again.compiled.graph.phases.train.some((n) => n.op === 'Drop' && n.name.endsWith('.again')));
    assert.equal(again.losses, plain.losses);
    for (const [parameter, gradient] of again.gradients) assert.equal(gradient, plain.gradients.get(parameter), parameter);
  }
});

test('at the smallest budget the memory is that size, and the forward pass what it is without one', () => {
  for (const name of ['vit-hf', 'swin-hf', 'mobilenetv2-hf']) {
    const net = network(name);
    const options = { model: net.model, classes: goldenCase(name).classes, batchSize: 2, microBatch: 1, maxThreads: 1 };
    const run = (budgetBytes: number | undefined): { losses: number[]; bytes: number } => {
      const engine = newEngine(planForBudget({ ...options, ...(budgetBytes === undefined ? {} : { budgetBytes }) }).program);
      load(engine, net);
      randomHead(engine);
      feed(engine, net);
      engine.run('train');
      const losses = [...engine.ints(Io.Losses)];
      engine.run('update');
      engine.run('train');
      assert.ok(engine.floats(Io.Losses).every(Number.isFinite));
      return { losses, bytes: engine.memory.buffer.byteLength };
    };
    let smallest = 0;
    try {
      planForBudget({ ...options, budgetBytes: 1 });
    } catch (error) {
      smallest = (error as BudgetError).smallestBytes;
    }
    const [least, most] = [run(smallest), run(undefined)];
    assert.is(least.bytes, smallest);
    assert.ok(most.bytes >= smallest);
    assert.equal(least.losses, most.losses);
  }
});

test('what runs again is what backward reads, and a block keeps its inputs alone', () => {
  const net = network('vit-hf');
  const plain = compileNetwork(net, { method: 'bias' });
  const blocks = blocksOf(plain);
  const again = compileNetwork(net, { method: 'bias', recompute: every(blocks, 8) });
  const repeated = again.graph.phases.train.filter((n) => n.name.endsWith('.again'));
  assert.ok(repeated.some((n) => n.op === 'Attention'));
  const forward = plain.graph.phases.train.filter((n) => !n.isBackward && blocks.includes(n.block));
  // A block's last product and sum are nobody's derivative; the patches neither, nothing before the first bias learns but they.
  assert.ok(repeated.length < forward.length, `${repeated.length} of ${forward.length} nodes run again`);
  const last = repeated.filter((n) => /output\.dense|add2/.test(n.name) && !/attention/.test(n.name));
  assert.equal(
    last.map((n) => n.name),
    [],
  );
  assert.ok(again.plan.keptBytes < plain.plan.keptBytes / 2, `${again.plan.keptBytes} of ${plain.plan.keptBytes} bytes kept`);
  const none = compileNetwork(net, { method: 'probe', recompute: every(blocks, 8) });
  assert.not.ok(
    none.graph.phases.train.some((n) => n.name.endsWith('.again')),
    'nothing learns there, nothing runs again',
  );
});

test.run();
