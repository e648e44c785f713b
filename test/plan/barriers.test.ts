/** Barriers: none where nothing passes between threads, one wherever something does, and the verifier misses none. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ABSENT, addValue, createGraph, type Graph, nodesOf, type Split, u8 } from '../../src/graph/graph.ts';
import { placeBarriers } from '../../src/plan/barriers.ts';
import { type Plan, planMemory } from '../../src/plan/memory.ts';
import { verifyBarriers, verifyPlan } from '../../src/plan/verify.ts';
import { compileNetwork, network } from '../support/network.ts';
import { anyNode } from '../support/node.ts';
import { random, randomGraph } from '../support/randomgraph.ts';

/** Three values of 64 bytes at 0, 64 and 128 and a chain of nodes over them. */
function chain(...nodes: [inputs: number[], outputs: number[], split?: Split][]): boolean[] {
  const graph = createGraph();
  for (let i = 0; i < 3; i++) addValue(graph, `v${i}`, u8(64), 'batch');
  for (const [n, [inputs, outputs, split]] of nodes.entries())
    graph.phases.train.push(anyNode(`n${n}`, inputs, outputs, split ? { split } : {}));
  return placeBarriers(graph, [0, 64, 128]);
}

const fours: Split = { units: 4, inputs: [16], outputs: [16] };

test('what was written, is read, or is overwritten by others needs a barrier; what only all read needs none', () => {
  assert.equal(chain([[0], [1]], [[1], [2]]), [false, true], 'read after write');
  assert.equal(chain([[0], [1]], [[2], [0]]), [false, true], 'write after read');
  assert.equal(chain([[0], [2]], [[1], [2]]), [false, true], 'write after write');
  assert.equal(chain([[0], [1]], [[0], [2]]), [false, false], 'two readers');
});

test('no barrier between nodes of which each thread reads what it wrote itself; one barrier serves all that came before', () => {
  assert.equal(chain([[0], [1], fours], [[1], [2], fours]), [false, false]);
  assert.equal(chain([[0], [1], fours], [[1], [2], { ...fours, units: 2, inputs: [32] }]), [false, true], 'other pieces');
  assert.equal(chain([[0], [1], fours], [[1], [2], { units: 4, outputs: [16] }]), [false, true], 'read anywhere');
  assert.equal(chain([[0], [1]], [[1], [2]], [[1], [2]]), [false, true, true]);
  assert.equal(chain([[0], [1]], [[1], []], [[1], [2]]), [false, true, false], 'once met, what lies before is done');
});

/** Takes every barrier away in turn; each is missed. Returns how many there are. */
function takeAway(graph: Graph, plan: Plan, what: string): number {
  assert.not.throws(() => verifyPlan(graph, plan), what);
  const there = plan.barriers.flatMap((meets, time) => (meets ? [time] : []));
  for (const time of there) {
    const barriers = plan.barriers.with(time, false);
    assert.throws(() => verifyBarriers(graph, { ...plan, barriers }), /^plan: no barrier between /, `${what}: barrier ${time}`);
  }
  return there.length;
}

test('random graphs, operands shared at random: the verifier misses every barrier that is taken away', () => {
  let [barriers, nodes] = [0, 0];
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed);
    const graph = randomGraph(next);
    for (const node of nodesOf(graph)) {
      if (next(4) === 0) continue;
      const units = [0, 1, 5, 8][next(4)]!;
      const bytes = (ids: number[]): number[] =>
        ids.map((id) => (id === ABSENT || next(3) === 0 ? 0 : Math.ceil(graph.values[id]!.bytes / (units || 1))));
      node.split = { units, inputs: bytes(node.inputs), outputs: bytes(node.outputs), updates: bytes(node.updates) };
    }
    barriers += takeAway(graph, planMemory(graph, { codeBytes: 64, maxThreads: 1 + next(5) }), `seed ${seed}`);
    nodes += nodesOf(graph).length;
  }
  assert.ok(barriers > nodes / 4 && barriers < nodes, `${barriers} barriers, ${nodes} nodes`);
});

for (const name of ['vit-timm', 'swin-hf-pad', 'resnet50-timm', 'mobilenetv2-hf', 'convnext-hf'])
  test(`${name}: the verifier misses every barrier that is taken away, and fewer nodes than all ask for one`, () => {
    const { graph, plan } = compileNetwork(network(name), { method: name.startsWith('vit') ? 'full' : 'bias+prompt' });
    const n = takeAway(graph, plan, name);
    assert.ok(n > 10 && n < 0.8 * plan.barriers.length, `${n} of ${plan.barriers.length}`);
  });

test.run();
