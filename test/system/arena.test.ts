/** No byte outside what the plan has given out is ever written: the whole arena starts with a pattern, and the pattern stays. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Head } from '../../assembly/abi/head.ts';
import type { Role } from '../../src/graph/graph.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { compileNetwork, feed, load, network, newEngine, randomHead } from '../support/network.ts';

const PATTERN = 0xa5;

/** A step on an arena of pattern; returns what the arena is then, and which bytes the plan has given out. */
function stepOnPattern(name: string, options: Partial<CompileOptions>) {
  const net = network(name);
  const compiled = compileNetwork(net, options);
  const { plan, graph, program } = compiled;
  const engine = newEngine(program);
  const arena = new Uint8Array(engine.memory.buffer);
  const planned = new Uint8Array(arena.length);
  const give = (offset: number, bytes: number): void => void planned.fill(1, offset, offset + bytes);

  // The head: the status word, and the constants that the engine has just written.
  give(Head.FailedNode, 4);
  const head = arena.slice(0, Head.Bytes);
  give(Head.Math, head.findLastIndex((b) => b !== 0) + 1 - Head.Math);
  // Values to the byte, their padding left out; the region's start at zero.
  const zero: readonly Role[] = ['state', 'param', 'grad', 'moment'];
  arena.fill(PATTERN);
  for (const value of graph.values) {
    const offset = plan.offsets[value.id]!;
    if (offset < 0) continue;
    give(offset, value.bytes);
    if (zero.includes(value.role)) arena.fill(0, offset, offset + value.bytes);
  }
  give(plan.scratch.offset, plan.scratch.bytes * plan.maxThreads);
  head.forEach((byte, at) => {
    if (planned[at]) arena[at] = byte;
  });
  const { start, end } = { start: program.entries.init.start, end: program.entries.eval.end };
  assert.is(planned.subarray(start, end).indexOf(1), -1, 'a value lies on the code');
  give(start, end - start);
  program.image.forEach((byte, at) => {
    if (planned[program.programOffset + at]) arena[program.programOffset + at] = byte;
  });

  load(engine, net);
  randomHead(engine);
  const before = arena.slice();
  feed(engine, net);
  for (const phase of ['train', 'train', 'update', 'eval', 'train', 'update'] as const) engine.run(phase);
  return { arena, planned, before, compiled, engine };
}

for (const name of ['vit-hf', 'vit-hf@48', 'vit-hf-rect', 'deit3-timm', 'mobilenetv2-hf', 'mobilenetv2-hf-symmetric'])
  for (const method of ['bias', 'full', 'probe'] as const)
    for (const keep of ['exact', 's2a'] as const)
      for (const microBatch of [1, 3])
        test(`${name}, ${method}, ${keep}, micro-batch ${microBatch}`, () => {
          const { arena, planned, before, compiled } = stepOnPattern(name, { method, keep, microBatch, optimizer: 'adamw' });
          const { plan, program, graph } = compiled;
          const touched = arena.findIndex((byte, at) => !planned[at] && byte !== PATTERN);
          assert.is(touched, -1, `byte ${touched} of ${arena.length} belongs to nobody and was written`);
          // Nor is anything written that is only there to be read.
          const same = (offset: number, bytes: number, what: string): void =>
            assert.equal(Buffer.compare(arena.subarray(offset, offset + bytes), before.subarray(offset, offset + bytes)), 0, what);
          same(program.programOffset, program.image.length, 'the program has changed');
          same(plan.frozen.offset, plan.frozen.bytes, 'a frozen weight has changed');
          const moved = graph.values
            .filter((v) => v.role === 'param')
            .filter((v) => {
              const [from, to] = [plan.offsets[v.id]!, plan.offsets[v.id]! + v.bytes];
              return Buffer.compare(arena.subarray(from, to), before.subarray(from, to)) !== 0;
            });
          assert.ok(moved.length > 0, 'the step has changed no parameter');
        });

for (const name of ['mobilenetv2-hf', 'mobilenetv3-timm', 'resnet-hf', 'convnext-timm'])
  for (const method of ['bias', 'full'] as const)
    test(`${name}, ${method}, in pieces of pictures`, () => {
      const { arena, planned, compiled } = stepOnPattern(name, { method, microBatch: 3, tiles: { rows: 4, pictures: true } });
      assert.ok(compiled.graph.phases.train.some(({ op, name }) => /^(Conv|Depthwise)/.test(op) && name.endsWith('#2')));
      assert.is(
        arena.findIndex((byte, at) => !planned[at] && byte !== PATTERN),
        -1,
      );
    });

test('the check sees a single byte', () => {
  const { arena, planned } = stepOnPattern('vit-hf', { method: 'bias', microBatch: 1 });
  const free = planned.indexOf(0, Head.Bytes);
  assert.ok(free > 0);
  arena[free]! ^= 1;
  assert.is(
    arena.findIndex((byte, at) => !planned[at] && byte !== PATTERN),
    free,
  );
});

test.run();
