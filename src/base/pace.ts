/**
 * Turns for the host's event loop inside a long pass. A range of instructions is walked in pieces that take some milliseconds each, as they took the
 * first time, when it was walked instruction by instruction; between two pieces that have taken long enough the host has its turn. No number that
 * the engine computes depends on where a walk is cut. One instruction is never broken: it is the longest that the host may have to wait.
 */
import { Instruction } from '../../assembly/abi/ops.ts';

/** What a piece may take, in ms; and how long the host waits for a turn at most, where instructions are short. */
const PIECE_MS = 8;
const TURN_MS = 15;
/** A piece that took so many times what is planned has grown slow: it is measured again. */
const SLOWER = 4;

export interface Range {
  start: number;
  end: number;
}

/** Lets the host handle what has come in. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let last = performance.now();
/** A turn, if the last one was long ago: for loops whose rounds are short. */
export async function turnIfDue(): Promise<void> {
  if (performance.now() - last < TURN_MS) return;
  await turn();
  last = performance.now();
}

/** Walks ranges of the program in `memory` piece by piece; `walk` runs one of them to its end. */
export function createPace(memory: WebAssembly.Memory, walk: (piece: Range) => Promise<void>): (range: Range) => Promise<void> {
  const known = new Map<string, number[]>();
  return async (range) => {
    const key = `${range.start}:${range.end}`;
    const ends = known.get(key);
    const times: [end: number, ms: number][] = [];
    for (let start = range.start, i = 0; start < range.end; i++) {
      const end = ends?.[i] ?? next(memory, start, range.end);
      const began = performance.now();
      await walk({ start, end });
      const ms = performance.now() - began;
      times.push([end, ms]);
      start = end;
      await turnIfDue();
    }
    if (ends === undefined) known.set(key, pieces(times));
    // A piece of one instruction is as long as it is.
    else if (
      times.some(([end, ms], i) => ms > SLOWER * PIECE_MS && next(memory, i === 0 ? range.start : times[i - 1]![0], range.end) < end)
    )
      known.delete(key);
  };
}

/** Where the instruction at `at` ends. */
function next(memory: WebAssembly.Memory, at: number, end: number): number {
  const words = new Int32Array(memory.buffer, at, Instruction.Arguments)[Instruction.Words]!;
  // What is no instruction is the engine's to refuse.
  return words < Instruction.Arguments || at + 4 * words > end ? end : at + 4 * words;
}

/** The ends of pieces of neighbouring instructions that together take no longer than one may. */
function pieces(times: readonly (readonly [end: number, ms: number])[]): number[] {
  const ends: number[] = [];
  let sum = 0;
  for (const [i, [, ms]] of times.entries()) {
    if (i > 0 && sum + ms > PIECE_MS) {
      ends.push(times[i - 1]![0]);
      sum = 0;
    }
    sum += ms;
  }
  const end = times.at(-1)?.[0];
  return end === undefined ? [] : [...ends, end];
}
