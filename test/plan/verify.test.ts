/** Planner and verifier over random graphs: good plans pass, and no plan with a real hazard does. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { type Graph, nodesOf } from '../../src/graph/graph.ts';
import { type Plan, type PlanOptions, planMemory, type Range } from '../../src/plan/memory.ts';
import { verifyPlan } from '../../src/plan/verify.ts';
import { hazard, type Random, random, randomGraph } from '../support/randomgraph.ts';
import { MOBILENETS, VITS } from '../support/realnetwork.ts';

const GRAPHS = 400;
/** Graphs and changes for each kind of mutation. */
const MUTATED = 80;
const CHANGES = 6;

interface Case {
  seed: number;
  next: Random;
  graph: Graph;
  options: PlanOptions;
}

function* randomCases(count: number): Generator<Case> {
  for (let seed = 1; seed <= count; seed++) {
    const next = random(seed);
    const graph = randomGraph(next);
    yield { seed, next, graph, options: { codeBytes: 4 * (1 + next(40)), maxThreads: 1 + next(3) } };
  }
}

test(`${GRAPHS} random graphs: the verifier passes the plan, and nothing goes wrong when it is run`, () => {
  let shared = 0;
  for (const { seed, graph, options } of randomCases(GRAPHS)) {
    const plan = planMemory(graph, options);
    assert.not.throws(() => verifyPlan(graph, plan), `seed ${seed}`);
    assert.is(hazard(graph, plan, options.codeBytes), undefined, `seed ${seed}`);
    assert.ok(plan.temporaries.bytes >= plan.lowerBound);
    assert.is(
      Object.values(plan.parts).reduce((a, b) => a + b, 0),
      plan.linearBytes,
    );
    assert.ok(Object.values(plan.parts).every((bytes) => bytes >= 0));
    shared += nodesOf(graph).filter((n) => n.outputs.some((y) => n.inputs.some((x) => plan.offsets[x] === plan.offsets[y]))).length;
  }
  assert.ok(shared > GRAPHS / 4, `only ${shared} nodes work in place`);
});

type Mutation = (plan: Plan, graph: Graph, next: Random) => void;

const placed = (plan: Plan): number[] => plan.offsets.flatMap((at, id) => (at >= 0 ? [id] : []));
const range =
  (name: 'program' | 'frozen' | 'region' | 'batch' | 'temporaries' | 'scratch', change: (r: Range, next: Random) => void): Mutation =>
  (plan, _graph, next) => {
    plan[name] = { ...plan[name] };
    change(plan[name], next);
  };

const MUTANTS: Record<string, Mutation> = {
  'shift a value': (plan, _graph, next) => {
    const ids = placed(plan);
    plan.offsets[ids[next(ids.length)]!]! += 16 * (next(20) - 10);
  },
  'swap two values': (plan, _graph, next) => {
    const ids = placed(plan);
    const [a, b] = [ids[next(ids.length)]!, ids[next(ids.length)]!];
    [plan.offsets[a], plan.offsets[b]] = [plan.offsets[b]!, plan.offsets[a]!];
  },
  'put a value where another is': (plan, _graph, next) => {
    const ids = placed(plan);
    plan.offsets[ids[next(ids.length)]!] = plan.offsets[ids[next(ids.length)]!]!;
  },
  'put a temporary where another is': (plan, graph, next) => {
    const ids = placed(plan).filter((id) => graph.values[id]!.role === 'temp');
    if (ids.length > 0) plan.offsets[ids[next(ids.length)]!] = plan.offsets[ids[next(ids.length)]!]!;
  },
  'forget a value': (plan, _graph, next) => {
    const ids = placed(plan);
    plan.offsets[ids[next(ids.length)]!] = [-1, Number.NaN, -16, 0][next(4)]!;
  },
  'put a value on the code': (plan, _graph, next) => {
    const ids = placed(plan);
    plan.offsets[ids[next(ids.length)]!] = plan.program.offset;
  },
  'shrink the arena': (plan, _graph, next) => {
    plan.linearBytes = Math.max(4096, plan.scratch.offset + 16 * (next(12) - 6));
  },
  'shrink the program': range('program', (r, next) => {
    r.bytes = 16 * next(r.bytes / 16);
  }),
  'shrink the checkpoint region': range('region', (r, next) => {
    r.bytes = 16 * next(r.bytes / 16);
  }),
  'move the checkpoint region': range('region', (r, next) => {
    r.offset += 16 * (1 + next(4));
  }),
  'shrink the scratch': range('scratch', (r) => {
    r.bytes = Math.max(0, r.bytes - 16);
  }),
  'move the scratch': range('scratch', (r, next) => {
    r.offset -= 16 * (1 + next(40));
  }),
  'move the program': range('program', (r, next) => {
    r.offset += 16 * (next(40) - 10);
  }),
};

for (const [what, mutate] of Object.entries(MUTANTS))
  test(`${what}: every plan that this breaks is refused`, () => {
    let broken = 0;
    for (const { seed, next, graph, options } of randomCases(MUTATED)) {
      const good = planMemory(graph, options);
      for (let i = 0; i < CHANGES; i++) {
        const plan = { ...good, offsets: [...good.offsets] };
        mutate(plan, graph, next);
        const wrong = hazard(graph, plan, options.codeBytes);
        if (wrong === undefined) continue;
        broken++;
        assert.throws(() => verifyPlan(graph, plan), /^plan: /, `seed ${seed}: not seen: ${wrong}`);
      }
    }
    assert.ok(broken > MUTATED / 2, `only ${broken} plans were broken`);
  });

for (const [name, model] of Object.entries({ ...VITS, ...MOBILENETS }))
  test(`${name}: temporaries take at most 5 % more than is alive at the peak; compiled within a second`, () => {
    for (const method of ['bias', 'probe', 'full'] as const)
      for (const keep of ['exact', 's2a'] as const)
        for (const microBatch of [1, 8]) {
          const began = process.cpuUsage();
          const { plan } = compile({ model, classes: 100, microBatch, method, keep });
          const { user, system } = process.cpuUsage(began);
          assert.ok(user + system < 1e6, `${user + system} µs of processor time`);
          assert.ok(plan.temporaries.bytes <= 1.05 * plan.lowerBound, `${method} ${keep} ${plan.temporaries.bytes / plan.lowerBound}`);
        }
  });

test.run();
