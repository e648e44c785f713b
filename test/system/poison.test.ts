/**
 * What the plan calls dead may hold anything: before each instruction every dead byte of the temporaries, and all scratch, becomes NaN,
 * and nothing that comes out changes by a bit. Which bytes are alive is read off the graph here, without the planner's lifetimes.
 */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { ABSENT, type Phase, rangeOf, rootOf, type Value } from '../../src/graph/graph.ts';
import type { Compiled } from '../../src/pipeline/compiled.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { compileNetwork, feed, instructions, load, type Network, network, newEngine, randomHead, type Step } from '../support/network.ts';

const RUN: readonly Phase[] = ['train', 'train', 'eval', 'update', 'train', 'eval'];
/** As f32 a quiet NaN, as int8 -1 (and a code of 15), as f64 a NaN. */
const POISON = 0xff;

type Before = (step: Step) => void;

/** Runs one phase instruction by instruction. */
function walk(engine: Engine, steps: readonly Step[], phase: Phase, before: Before): void {
  const { entries } = engine.program;
  const whole = entries[phase];
  for (const step of steps.filter((s) => s.phase === phase)) {
    before(step);
    entries[phase] = { start: step.start, end: step.end };
    engine.run(phase);
  }
  entries[phase] = whole;
}

/** For every time, the temporaries that have been written and will be read again, by themselves or as a part of another or in parts. */
function aliveAt({ graph }: Compiled, steps: readonly Step[]): Value[][] {
  const written = new Map<number, number>();
  const reads = new Map<number, { id: number; time: number }[]>();
  for (const { node, time } of steps) {
    for (const id of node.outputs) written.set(id, time);
    for (const id of [...node.inputs, ...node.updates]) {
      if (id === ABSENT) continue;
      const root = rootOf(graph, id);
      reads.set(root, [...(reads.get(root) ?? []), { id, time }]);
    }
  }
  const lastRead = new Map<number, number>();
  for (const v of graph.values) {
    if (v.role !== 'temp' || !(written.has(v.id) || v.source)) continue;
    const own = rangeOf(graph, v.id);
    for (const { id, time } of reads.get(rootOf(graph, v.id)) ?? []) {
      const range = rangeOf(graph, id);
      if (range.from < own.to && own.from < range.to) lastRead.set(v.id, time);
    }
  }
  const used = graph.values.filter((v) => lastRead.has(v.id));
  return steps.map(({ time }) => used.filter((v) => (v.source ? -1 : written.get(v.id)!) < time && time <= lastRead.get(v.id)!));
}

/** Everything that leaves the engine, after each phase. */
function results(net: Network, compiled: Compiled, before: (engine: Engine) => Before): Uint8Array[] {
  const engine = newEngine(compiled.program);
  const steps = instructions(compiled);
  const poison = before(engine);
  // The weights are put in place and `init` runs as any phase does.
  const run = engine.run;
  engine.run = (phase) => walk({ ...engine, run }, steps, phase, poison);
  load(engine, net);
  randomHead(engine);
  feed(engine, net);
  const out: Uint8Array[] = [];
  for (const phase of RUN) {
    engine.run(phase);
    out.push(engine.region.slice());
    for (const port of [Io.Losses, Io.Choices, Io.EvalLosses, Io.EvalChoices, Io.Logits]) out.push(engine.bytes(port).slice());
  }
  return out;
}

const nothing: Before = () => {};

/** Poisons all that is dead, and `alsoDead` where that is said of a value. */
const poisoning =
  (compiled: Compiled, alsoDead: (step: Step, value: number) => boolean = () => false) =>
  (engine: Engine): Before => {
    const { temporaries, scratch, maxThreads, offsets } = compiled.plan;
    const memory = new Uint8Array(engine.memory.buffer);
    const alive = aliveAt(compiled, instructions(compiled));
    return (step) => {
      const live = alive[step.time]!.filter((v) => !alsoDead(step, v.id)).sort((a, b) => offsets[a.id]! - offsets[b.id]!);
      let dead = temporaries.offset;
      for (const { id, bytes } of live) {
        if (offsets[id]! > dead) memory.fill(POISON, dead, offsets[id]!);
        dead = Math.max(dead, offsets[id]! + bytes);
      }
      memory.fill(POISON, dead, temporaries.offset + temporaries.bytes);
      memory.fill(POISON, scratch.offset, scratch.offset + scratch.bytes * maxThreads);
    };
  };

const differs = (a: readonly Uint8Array[], b: readonly Uint8Array[]): number =>
  a.findIndex((bytes, i) => Buffer.compare(bytes, b[i]!) !== 0);

for (const name of [
  'vit-hf',
  'vit-hf@48',
  'vit-timm',
  'vit-timm-gap',
  'deit3-timm',
  'mobilenetv2-hf',
  'mobilenetv2-hf-symmetric',
  'swin-hf',
  'swin-timm-pad',
  'resnet-hf',
  'resnet18-timm',
  'convnext-timm',
])
  for (const method of ['bias', 'full', 'probe'] as const)
    for (const keep of ['exact', 's2a'] as const)
      test(`${name}, ${method}, ${keep}: dead bytes may be NaN`, () => {
        const net = network(name);
        const compiled = compileNetwork(net, { method, keep, microBatch: name.startsWith('vit') ? 3 : 2, optimizer: 'sgd' });
        const plain = results(net, compiled, () => nothing);
        assert.is(differs(plain, results(net, compiled, poisoning(compiled))), -1);
        assert.ok(
          plain.at(-1)!.some((b) => b !== 0),
          'the logits are zero',
        );
      });

for (const [name, pictures] of [
  ['vit-hf', false],
  ['swin-timm-pad', false],
  ['convnext-timm', false],
  ['convnext-timm', true],
  ['mobilenetv2-hf', true],
  ['mobilenetv3-timm', true],
  ['resnet-hf', true],
] as const)
  for (const method of ['bias', 'full'])
    test(`${name}, ${method}, in tiles of ${pictures ? 'pictures' : 'rows'}: dead bytes may be NaN`, () => {
      const net = network(name);
      const tiles = { rows: 5, pictures };
      const compiled = compileNetwork(net, { method, microBatch: 3, optimizer: 'sgd', tiles, recompute: new Map([[1, 8]]) });
      const plain = results(net, compiled, () => nothing);
      assert.is(differs(plain, results(net, compiled, poisoning(compiled))), -1);
      const whole = compileNetwork(net, { method, microBatch: 3, optimizer: 'sgd', tiles: { rows: 0 }, recompute: new Map([[1, 8]]) });
      assert.is(
        differs(
          plain,
          results(net, whole, () => nothing),
        ),
        -1,
      );
    });

test('one value called dead too early is seen, whichever it is', () => {
  const net = network('vit-timm');
  const options: Partial<CompileOptions> = { method: 'bias', keep: 's2a', microBatch: 1 };
  const compiled = compileNetwork(net, options);
  const plain = results(net, compiled, () => nothing);
  const train = instructions(compiled).filter((s) => s.phase === 'train');
  const { graph } = compiled;
  let tried = 0;
  for (const { node, time } of train.filter((_, i) => i % 3 === 1)) {
    const id = node.inputs.find((i) => i !== ABSENT && graph.values[i]!.role === 'temp');
    if (id === undefined) continue;
    tried++;
    const poison = poisoning(compiled, (step, value) => step.time === time && value === id);
    let seen = true;
    try {
      seen = differs(plain, results(net, compiled, poison)) >= 0;
    } catch {
      // The engine has found a NaN itself.
    }
    assert.ok(seen, `${node.name} reads ${graph.values[id]!.name}, poisoned, and nothing changes`);
  }
  assert.ok(tried > 15, `${tried} values tried`);
});

test.run();
