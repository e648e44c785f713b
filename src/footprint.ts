/** What the process holds beside linear memory: measured, and assumed before a run. */
import { writeFileSync } from 'node:fs';
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

/** What training adds to the runtime as it stands, beside linear memory: compiled code, buffers, garbage before it is collected. */
export const TRAINING_BYTES = 24 << 20;
/** Each further thread of the engine, beside its scratch: a runtime of its own (measured: 8 to 9.5 MiB on Node, bench/threads.mjs). */
export const THREAD_BYTES = 10 << 20;
/** Decoding with less than this would skip ordinary pictures. */
const LEAST_DECODER_BYTES = 16 << 20;

const mib = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MiB`;

/**
 * The most that decoding one picture may take under a whole-process budget; BudgetError where there is too little, before any work is done.
 * The decoder ends before the arena is made, so the budget has to hold the runtime with the decoder, and then the runtime with linear
 * memory, and never all three. `overheadBytes`: what a decoder takes beside the picture.
 */
export function shareProcess(
  budgetBytes: number,
  linearBytes: number,
  threads: number,
  decoder: { wantedBytes: number; overheadBytes: number },
): number {
  const idle = process.memoryUsage.rss();
  const training = idle + TRAINING_BYTES + linearBytes + (threads - 1) * THREAD_BYTES;
  const preparing = idle + decoder.overheadBytes + LEAST_DECODER_BYTES;
  const least = Math.max(training, preparing);
  if (budgetBytes < least) {
    const what =
      training >= preparing
        ? `training needs linear memory ${mib(linearBytes)} + runtime ${mib(idle + TRAINING_BYTES)}`
        : `preparing pictures needs runtime ${mib(idle)} + decoder ${mib(decoder.overheadBytes + LEAST_DECODER_BYTES)}`;
    throw new BudgetError({ where: '--process-budget', what, got: mib(budgetBytes), expected: `at least ${mib(least)}` }, least);
  }
  return Math.min(decoder.wantedBytes, budgetBytes - idle - decoder.overheadBytes);
}
