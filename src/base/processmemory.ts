/** What the process holds beside linear memory: measured, and assumed before a run. */
import { writeFileSync } from 'node:fs';
import { mebibytes, mebibytesUp } from './bytes.ts';
import { BudgetError } from './error.ts';
import { readLimitedText } from './reading.ts';

/** Resident bytes of this process, and the most it has had. */
export interface Resident {
  now: number;
  peak: number;
}

export function resident(): Resident {
  const peak = linuxPeak() ?? process.resourceUsage().maxRSS * 1024;
  return { now: process.memoryUsage.rss(), peak };
}

/** The kernel's own peak (VmHWM), which can be reset between phases; undefined outside Linux. */
function linuxPeak(): number | undefined {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readLimitedText('/proc/self/status', 1 << 16, 'a status'));
    return line ? Number(line[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

/** Starts a new peak; false where the system does not allow it (not Linux, Deno): the peak then covers the whole process, which is never less than the truth. */
export function resetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}

/** Frees what earlier work left behind, where the host lets a program ask for it (`globalThis.gc`: `node --expose-gc`, and s2a's command line). */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/**
 * What the host adds on each runtime, at most: fixed, so that what fits and what is skipped follow from the options alone and never from a moment's
 * memory. Measured with 12-megapixel photos (bench/decode-memory.mjs, docs/memory.md); the program that calls the library is not in it.
 */
export interface Reserve {
  /** While training, beside linear memory: the runtime, compiled code, buffers, garbage before it is collected. */
  training: number;
  /** While preparing pictures, beside what decoding one takes: this process's own pages, and the decoder's runtime, code and buffers. */
  preparing: number;
  /** Of that the decoder's process alone; absent where the decoder is a thread. */
  decoder?: number;
}

const RESERVES: Readonly<Record<'node' | 'deno', Reserve>> = {
  node: { training: 80 << 20, preparing: 100 << 20, decoder: 76 << 20 },
  // One process for both; of the decoder's garbage more is kept.
  deno: { training: 100 << 20, preparing: 220 << 20 },
};

export const reserve: Reserve = RESERVES[process.versions.deno === undefined ? 'node' : 'deno'];

/** Each further thread of the engine, beside its scratch: a runtime of its own (measured: 8 to 9.5 MiB on Node, bench/threads.mjs). */
export const THREAD_BYTES = 10 << 20;
/** Decoding with less than this would skip ordinary pictures. */
export const LEAST_DECODER_BYTES = 16 << 20;

/** The most that decoding one picture may take under a whole-process budget: what is left beside the runtime; never more than is wanted. */
export const decoderShare = (budgetBytes: number, wantedBytes: number): number =>
  Math.max(0, Math.min(wantedBytes, budgetBytes - reserve.preparing));

/**
 * BudgetError where a whole-process budget is too small, before any work is done. The decoder ends before the arena is made, so the budget has to
 * hold the runtime with the decoder, and then the runtime with linear memory, and never all three.
 */
export function checkProcess(budgetBytes: number, linearBytes: number, threads: number): void {
  const host = reserve.training + (threads - 1) * THREAD_BYTES;
  const training = host + linearBytes;
  const preparing = reserve.preparing + LEAST_DECODER_BYTES;
  const least = Math.max(training, preparing);
  if (budgetBytes >= least) return;
  const what =
    training >= preparing
      ? `training needs linear memory ${mebibytes(linearBytes)} + runtime ${mebibytes(host)}`
      : `preparing pictures needs runtime ${mebibytes(reserve.preparing)} + decoder ${mebibytes(LEAST_DECODER_BYTES)}`;
  throw new BudgetError(
    {
      where: '--process-budget',
      what,
      got: mebibytes(budgetBytes),
      expected: `at least ${mebibytesUp(least)}`,
    },
    least,
  );
}
