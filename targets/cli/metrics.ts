/** DIR/run/metrics.jsonl: one JSON object a line. */
import { readFileSync } from 'node:fs';
import { InputError } from '../../src/error.ts';
import { appendText, fileExists, writeText } from '../../src/files.ts';

/** The log of a run. A disk that is full ends the log, not the run. */
export interface Metrics {
  /** Begins it anew, with these lines. */
  begin(lines: readonly object[]): void;
  /** Goes on where a checkpoint stands. */
  goOn(place: Place): void;
  add(line: object): void;
  /** Why it ended early, where it did. */
  readonly failure: InputError | undefined;
}

/** `warn` is told once why the log ends. */
export function openMetrics(path: string, warn: (sentence: string) => void): Metrics {
  let failure: InputError | undefined;
  const attempt = (action: () => void): void => {
    // A line that was torn would hide what stands behind it: nothing follows.
    if (failure) return;
    try {
      action();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      failure = error;
      warn(`${error.message}; the run goes on without this log`);
    }
  };
  return {
    begin: (lines) => attempt(() => writeText(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))),
    goOn: (place) => attempt(() => cutMetrics(path, place)),
    add: (line) => attempt(() => appendText(path, `${JSON.stringify(line)}\n`)),
    get failure() {
      return failure;
    },
  };
}

/** Where a run goes on: its step, the epochs that have ended, how often it has gone back. */
interface Place {
  step: number;
  epochsDone: number;
  backs: number;
}

/** Drops what a killed run logged beyond the checkpoint that it goes on from, and what a power cut tore. */
export function cutMetrics(path: string, place: Place): void {
  const lines = fileExists(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const isBeyond = beyond(place);
  const end = lines.findIndex(isBeyond);
  writeText(
    path,
    lines
      .slice(0, end)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

/**
 * Whether a line is of a step not yet done or an epoch not yet judged; a torn one, or the nothing after the last. What was logged before the run
 * went back for the last time stays: steps begin anew after it.
 */
function beyond({ step, epochsDone, backs }: Place): (line: string) => boolean {
  let left = backs;
  return (line) => {
    let entry: { back?: number; step?: number; epoch: number };
    try {
      entry = JSON.parse(line);
    } catch {
      return true;
    }
    if (entry.back !== undefined) return --left < 0;
    if (left > 0) return false;
    return entry.step === undefined ? entry.epoch > epochsDone : entry.step > step;
  };
}
