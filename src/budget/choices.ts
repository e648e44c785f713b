/**
 * Ways to spend time for memory, one after the other: each computes one more block again, or keeps inputs in fewer bits, where that lowers the
 * peak the most for the time it costs. Which alternatives there are depends on the job alone, never on the budget.
 */
import type { Bits, Recompute } from '../passes/recompute.ts';
import { type Estimates, leastBytes, peaks, stepTime } from './estimate.ts';

export interface Alternative {
  recompute: Recompute;
  /** Estimated linear memory; see `leastBytes`. */
  bytes: number;
  /** Predicted nanoseconds of a step. */
  time: number;
}

const alternative = (s: Estimates, recompute: Recompute, passes: number): Alternative => ({
  recompute: new Map(recompute),
  bytes: leastBytes(s, recompute),
  time: stepTime(s, recompute, passes),
});

/** From no recompute to the least memory, fastest first. `bits`: ways to keep a block's inputs, best first. */
export function ladder(s: Estimates, bits: readonly Bits[], passes: number): Alternative[] {
  const alternatives = [alternative(s, new Map(), passes)];
  const now = new Map<number, Bits>();
  bits.forEach((to, i) => {
    const from = bits[i - 1];
    for (let moved = true; moved; ) {
      moved = step(s, now, from, to);
      const next = alternative(s, now, passes);
      if (next.bytes < alternatives.at(-1)!.bytes) alternatives.push(next);
    }
  });
  return alternatives;
}

/** Moves the one block from `from` (undefined: not computed again) to `to` that lowers the highest peak most for its time; false where none does. */
function step(s: Estimates, now: Map<number, Bits>, from: Bits | undefined, to: Bits): boolean {
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

const highest = (s: Estimates, now: Recompute): { block: number; bytes: number } =>
  peaks(s, now).reduce((a, b) => (b.bytes > a.bytes ? b : a), { block: -1, bytes: 0 });

/** `count` blocks computed again whatever the budget: those that keep the most for their time. One alternative for each way to keep their inputs. */
export function fixed(s: Estimates, bits: readonly Bits[], passes: number, count: number): Alternative[] {
  const first = s.again.get(bits[0]!)!;
  const worth = (block: number): number => {
    const saved = (s.plain.stored.get(block) ?? 0) - (first.stored.get(block) ?? 0);
    return saved / ((first.times.blocks.get(block) ?? 0) - (s.plain.times.blocks.get(block) ?? 0) + 1);
  };
  const chosen = [...first.repeatable].sort((a, b) => worth(b) - worth(a) || a - b).slice(0, count);
  return bits.map((to) => alternative(s, new Map(chosen.sort((a, b) => a - b).map((block) => [block, to])), passes));
}

/** Blocks that were named, as far as something of them is computed again. */
export function named(s: Estimates, recompute: Recompute, passes: number): Alternative {
  return alternative(s, new Map([...recompute].filter(([block, bits]) => s.again.get(bits)!.repeatable.includes(block))), passes);
}
