/** Random networks of every operator, through derivative, what is kept, recompute, tiles, plan, verifier and engine: the same bits whatever is computed when and where. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { numel, shapeOf } from '../../src/graph/graph.ts';
import { addBackward } from '../../src/passes/backward.ts';
import { keepOf } from '../../src/passes/keeppolicy.ts';
import { addRepeats } from '../../src/passes/recompute.ts';
import { chooseSaved, gradientNeeds } from '../../src/passes/saved.ts';
import { tiled } from '../../src/passes/tiling/tiles.ts';
import { runGraph } from '../ops/run.ts';
import { random } from '../support/randomgraph.ts';
import { randomNetwork } from '../support/randomnetwork.ts';

interface Variant {
  keep?: string;
  /** Every block runs again in backward, its inputs kept in so many bits. */
  again?: 32 | 8 | 4;
  tiles?: boolean;
  threads?: number;
}

const seen = { views: 0, tiled: 0, repeated: 0 };

/** The gradients of all parameters, by name. */
function gradients(seed: number, { keep = 'exact', again, tiles = false, threads = 1 }: Variant): Map<string, Float32Array> {
  const { graph, contents, out, upstream, blocks } = randomNetwork(random(seed));
  const needs = gradientNeeds(graph);
  const repeats = addRepeats(graph, needs, new Map(again ? Array.from({ length: blocks }, (_, i) => [i, again]) : []));
  chooseSaved(graph, needs, keepOf(keep), repeats);
  const accumulators = addBackward(graph, out, upstream, needs, repeats);
  for (const [param, id] of accumulators) contents.set(id, new Uint8Array(4 * numel(shapeOf(graph, param))));
  const cut = tiles ? tiled(graph, 4, shapeOf(graph, out)[0]!) : undefined;
  seen.views += graph.phases.train.filter((node) => node.isView).length;
  seen.tiled += cut ? 1 : 0;
  seen.repeated += again && repeats.runs.size > 0 ? 1 : 0;
  const result = runGraph(cut ?? graph, contents, threads);
  return new Map([...accumulators].map(([param, id]) => [graph.values[param]!.name, result.floats(id)]));
}

const SEEDS = 120;

test(`${SEEDS} random networks: the same gradients again, in tiles, on threads; finite ones from codes`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const base = gradients(seed, {});
    assert.ok(base.size > 0, `seed ${seed}`);
    for (const variant of [{ again: 32 }, { tiles: true }, { threads: 3 }, { again: 32, tiles: true, threads: 2 }] as const) {
      const other = gradients(seed, variant);
      for (const [name, g] of base)
        assert.ok(
          Buffer.compare(Buffer.from(g.buffer), Buffer.from(other.get(name)!.buffer)) === 0,
          `seed ${seed} ${JSON.stringify(variant)}: ${name}`,
        );
    }
    const again = ([8, 4, 32] as const)[seed % 3]!;
    for (const [name, g] of gradients(seed, { keep: 's2a', again, tiles: true }))
      assert.ok(g.every(Number.isFinite), `seed ${seed}: ${name} from codes`);
  }
  assert.ok(seen.views > SEEDS && seen.tiled > SEEDS / 4 && seen.repeated > SEEDS, JSON.stringify(seen));
});

test.run();
