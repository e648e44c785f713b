/** Offsets for blocks whose lifetimes overlap in time but must not overlap in memory. */
import { chance } from '../base/hostrandom.ts';
import type { Block } from './lifetime.ts';

export interface Placement {
  /** Offset of each block, in the order given. */
  offsets: number[];
  /** Bytes from 0 to the end of the highest block. */
  bytes: number;
}

/** Puts each block, in the given order, at the lowest offset that is free during its whole life. */
function firstFit(blocks: readonly Block[], order: readonly number[]): Placement {
  const offsets = new Array<number>(blocks.length).fill(0);
  const placed: number[] = [];
  let bytes = 0;
  for (const i of order) {
    const block = blocks[i]!;
    let offset = 0;
    // `placed` is sorted by offset: walk up until a gap is large enough.
    for (const j of placed) {
      const other = blocks[j]!;
      if (other.last < block.first || block.last < other.first) continue;
      if (offset + block.bytes <= offsets[j]!) break;
      offset = Math.max(offset, offsets[j]! + other.bytes);
    }
    offsets[i] = offset;
    const at = placed.findIndex((j) => offsets[j]! > offset);
    placed.splice(at < 0 ? placed.length : at, 0, i);
    bytes = Math.max(bytes, offset + block.bytes);
  }
  return { offsets, bytes };
}

/** Placements tried to close a gap, and what is left of it that is not worth another. */
const ROUNDS = 32;
const CLOSE_ENOUGH = 1.005;
/** Where a gap of more than that is left, orders are tried by chance: so many from each start, fewer of many blocks (pairs of them looked at). */
const NEAR = 1.03;
const TRIES = 300;
const WORK = 2e7;

/**
 * The best of a few orders: large first, long-lived first, area first, early first. Where a gap is left, the blocks on top go first and all
 * are placed again, some rounds over; then by chance. Stops at `bound`, the most that is ever alive at once: no placement is smaller. Deterministic.
 */
export function place(blocks: readonly Block[], bound: number): Placement {
  const life = (b: Block): number => b.last - b.first + 1;
  const keys: ((b: Block) => number)[] = [
    (b) => b.bytes,
    (b) => life(b),
    (b) => b.bytes * life(b),
    (b) => b.bytes * Math.sqrt(life(b)),
    (b) => -b.first,
  ];
  const indices = blocks.map((_, i) => i);
  const tried = keys.map((key) => [...indices].sort((i, j) => key(blocks[j]!) - key(blocks[i]!) || i - j));
  let best: { order: number[]; placement: Placement } | undefined;
  const attempt = (order: number[]): Placement => {
    const placement = firstFit(blocks, order);
    if (best === undefined || placement.bytes < best.placement.bytes) best = { order, placement };
    return placement;
  };
  for (const order of tried) if (attempt(order).bytes <= bound) return best!.placement;
  let { order, placement } = best!;
  for (let round = 0; round < ROUNDS && best!.placement.bytes > bound * CLOSE_ENOUGH; round++) {
    const top = new Set(indices.filter((i) => placement.offsets[i]! + blocks[i]!.bytes === placement.bytes));
    order = [...order.filter((i) => top.has(i)), ...order.filter((i) => !top.has(i))];
    placement = attempt(order);
  }
  if (best!.placement.bytes > bound * NEAR) byChance([best!.order, ...tried]);
  return best!.placement;

  /** From one order after the other: what lies on top goes before another that it meets, and stays there if nothing grows by it. The same every time. */
  function byChance(starts: readonly number[][]): void {
    let drawn = 0;
    const next = (below: number): number => chance(1, drawn++, below);
    const tries = Math.min(TRIES, Math.floor(WORK / blocks.length ** 2));
    for (const start of starts) {
      let now = { order: start, placement: attempt(start) };
      for (let i = 0; i < tries && best!.placement.bytes > bound * NEAR; i++) {
        const { order, placement } = now;
        const top = indices.filter((i) => placement.offsets[i]! + blocks[i]!.bytes === placement.bytes);
        const moved = top[next(top.length)]!;
        const meets = (j: number): boolean => blocks[j]!.first <= blocks[moved]!.last && blocks[moved]!.first <= blocks[j]!.last;
        const earlier = order.slice(0, order.indexOf(moved)).filter(meets);
        if (earlier.length === 0) break;
        const changed = order.filter((i) => i !== moved);
        changed.splice(changed.indexOf(earlier[next(earlier.length)]!), 0, moved);
        const found = attempt(changed);
        if (found.bytes <= placement.bytes) now = { order: changed, placement: found };
      }
    }
  }
}
