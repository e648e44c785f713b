/** What the process holds beside linear memory: measured, and assumed before a run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { BudgetError } from './error.ts';

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
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'));
    return line ? Number(line[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

/** Starts a new peak where the system allows it. */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or not allowed: the peak then covers the whole process, which is never less than the truth.
  }
}

/** What training adds to the runtime as it stands, beside linear memory: compiled code, buffers, garbage before it is collected. */
const TRAINING_BYTES = 24 << 20;
/** Decoding with less than this would skip ordinary pictures. */
const LEAST_DECODER_BYTES = 24 << 20;

export interface ProcessShare {
  /** The runtime's own: resident now, before anything is loaded, and what training adds. */
  runtimeBytes: number;
  linearBytes: number;
  /** The most that decoding one picture may take. */
  decoderBytes: number;
}

/** Divides a whole-process budget, or refuses it before any work is done. */
export function shareProcess(budgetBytes: number, linearBytes: number, decoderBytes: number): ProcessShare {
  const runtimeBytes = process.memoryUsage.rss() + TRAINING_BYTES;
  const left = budgetBytes - runtimeBytes - linearBytes;
  if (left < LEAST_DECODER_BYTES) {
    const mib = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MiB`;
    const least = linearBytes + runtimeBytes + LEAST_DECODER_BYTES;
    throw new BudgetError(
      {
        where: '--process-budget',
        what: `linear memory ${mib(linearBytes)} + runtime ${mib(runtimeBytes)} + picture decoder ${mib(LEAST_DECODER_BYTES)} do not fit`,
        got: mib(budgetBytes),
        expected: `at least ${mib(least)}`,
      },
      least,
    );
  }
  return { runtimeBytes, linearBytes, decoderBytes: Math.min(decoderBytes, left) };
}
