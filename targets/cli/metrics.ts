/** DIR/run/metrics.jsonl: one JSON object a line. */
import { readFileSync } from 'node:fs';
import { fileExists, writeText } from '../../src/files.ts';

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
