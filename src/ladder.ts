/**
 * Ways to spend time for memory, rung by rung: each computes one more block again, or keeps inputs in fewer bits, where that lowers the
 * peak the most for the time it costs. Which rungs there are depends on the job alone, never on the budget.
 */
import type { Bits, Recompute } from './recompute.ts';
import { estimate, peaks, type Sketches, stepTime } from './sketch.ts';

export interface Rung {
  recompute: Recompute;
  /** Estimated linear memory; see `estimate`. */
  bytes: number;
  /** Predicted nanoseconds of a step. */
  time: number;
}

const rung = (s: Sketches, recompute: Recompute, passes: number): Rung => ({
  recompute: new Map(recompute),
  bytes: estimate(s, recompute),
  time: stepTime(s, recompute, passes),
});

/** From no recompute to the least memory, fastest first. `bits`: ways to keep a block's inputs, best first. */
export function ladder(s: Sketches, bits: readonly Bits[], passes: number): Rung[] {
  const rungs = [rung(s, new Map(), passes)];
  const now = new Map<number, Bits>();
  bits.forEach((to, i) => {
    const from = bits[i - 1];
    for (let moved = true; moved; ) {
      moved = step(s, now, from, to);
      const next = rung(s, now, passes);
      if (next.bytes < rungs.at(-1)!.bytes) rungs.push(next);
    }
  });
  return rungs;
}

/** Moves the one block from `from` (undefined: not computed again) to `to` that lowers the highest peak most for its time; false where none does. */
function step(s: Sketches, now: Map<number, Bits>, from: Bits | undefined, to: Bits): boolean {
  const before = highest(s, now);
  if (before.bytes <= s.plain.floor) return false;
  let best: { block: number; worth: number } | undefined;
  for (const block of s.again.get(to)!.repeatable) {
    if (now.get(block) !== from || block > before.block) continue;
    const then = new Map(now).set(block, to);
    const gain = before.bytes - peaks(s, then).find((p) => p.block === before.block)!.bytes;
    if (gain <= 0) continue;
    const worth = gain / (1 + Math.max(0, stepTime(s, then, 1) - stepTime(s, now, 1)));
    if (best === undefined || worth > best.worth) best = { block, worth };
  }
  if (best === undefined) return false;
  now.set(best.block, to);
  return true;
}

const highest = (s: Sketches, now: Recompute): { block: number; bytes: number } =>
  peaks(s, now).reduce((a, b) => (b.bytes > a.bytes ? b : a), { block: -1, bytes: 0 });

/** `count` blocks computed again whatever the budget: those that keep the most for their time. One rung for each way to keep their inputs. */
export function fixed(s: Sketches, bits: readonly Bits[], passes: number, count: number): Rung[] {
  const first = s.again.get(bits[0]!)!;
  const worth = (block: number): number => {
    const saved = (s.plain.stored.get(block) ?? 0) - (first.stored.get(block) ?? 0);
    return saved / ((first.times.blocks.get(block) ?? 0) - (s.plain.times.blocks.get(block) ?? 0) + 1);
  };
  const chosen = [...first.repeatable].sort((a, b) => worth(b) - worth(a) || a - b).slice(0, count);
  return bits.map((to) => rung(s, new Map(chosen.sort((a, b) => a - b).map((block) => [block, to])), passes));
}

/** Blocks that were named, as far as something of them is computed again. */
export function named(s: Sketches, recompute: Recompute, passes: number): Rung {
  return rung(s, new Map([...recompute].filter(([block, bits]) => s.again.get(bits)!.repeatable.includes(block))), passes);
}
