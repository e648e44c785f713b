/** A job's candidates: every way to spend time for memory, each with what it would take and how long, from estimates alone. */
import type { Bits, RecomputeChoice } from '../passes/recompute.ts';
import type { Tiles } from '../passes/tiling/tiles.ts';
import type { Path, UnplacedGraph } from '../pipeline/compiled.ts';
import type { CompileOptions } from '../pipeline/options.ts';
import { finishGraph } from '../pipeline/tiles.ts';
import { type Alternative, fixed, ladder, named } from './choices.ts';
import { type Estimate, type Estimates, estimate } from './estimate.ts';

/** One candidate: what it is compiled from, and its estimates. */
export interface Way extends Alternative {
  options: CompileOptions;
  /** Blocks that could be computed again. */
  blocks: number;
}

export type Job = ReturnType<typeof openJob>;

/** A job's graphs and estimates by micro-batch, bits of recomputed inputs and tiles, each made once. */
export function openJob(options: Omit<CompileOptions, 'microBatch'>, batchSize: number, { graphOf }: Path) {
  const whole = new Map<string, UnplacedGraph>();
  const made = new Map<string, { built: UnplacedGraph; estimate: Estimate }>();
  const wholeOf = (microBatch: number, bits: Bits | 0): UnplacedGraph => {
    const key = `${microBatch}:${bits}`;
    // All but the head, which backward begins with.
    const blocks = bits === 0 ? [] : [...get(microBatch, 0, undefined).estimate.working.keys()].sort((a, b) => a - b).slice(0, -1);
    const found = whole.get(key) ?? graphOf({ ...options, microBatch, recompute: new Map(blocks.map((block) => [block, bits as Bits])) });
    whole.set(key, found);
    return found;
  };
  const get = (microBatch: number, bits: Bits | 0, tiles: Tiles | undefined): { built: UnplacedGraph; estimate: Estimate } => {
    const key = `${microBatch}:${bits}:${tiles === undefined}`;
    let found = made.get(key);
    if (found === undefined) {
      const built = finishGraph(wholeOf(microBatch, bits), { ...options, tiles: tiles ?? options.tiles });
      found = { built, estimate: estimate(built) };
      made.set(key, found);
    }
    return found;
  };
  const estimates = (microBatch: number, bits: readonly Bits[], tiles: Tiles | undefined): Estimates => ({
    plain: get(microBatch, 0, tiles).estimate,
    again: new Map(bits.map((b) => [b, get(microBatch, b, tiles).estimate])),
  });
  const way = (microBatch: number, alternative: Alternative, blocks: number, tiles: Tiles | undefined): Way => ({
    ...alternative,
    options: { ...options, microBatch, recompute: alternative.recompute, ...(tiles ? { tiles } : {}) },
    blocks,
  });
  return {
    build: (microBatch: number, bits: Bits | 0): UnplacedGraph => get(microBatch, bits, undefined).built,
    plain: (microBatch: number, tiles?: Tiles): Way =>
      way(microBatch, ladder(estimates(microBatch, [], tiles), [], batchSize / microBatch)[0] as Alternative, 0, tiles),
    /** Every way to spend time for memory at one micro-batch. */
    ways(microBatch: number, recompute: Exclude<RecomputeChoice, 'none'>, bits: readonly Bits[], tiles?: Tiles): Way[] {
      const s = estimates(microBatch, typeof recompute === 'object' ? [...new Set([...bits, ...recompute.values()])] : bits, tiles);
      const passes = batchSize / microBatch;
      const blocks = s.again.get(bits[0]!)!.repeatable.length;
      if (typeof recompute === 'object') return [way(microBatch, named(s, recompute, passes), blocks, tiles)];
      const count = recompute === 'all' ? Number.POSITIVE_INFINITY : recompute;
      const alternatives = count === 'auto' ? ladder(s, bits, passes) : fixed(s, bits, passes, count);
      return alternatives.map((alternative) => way(microBatch, alternative, blocks, tiles));
    },
  };
}
