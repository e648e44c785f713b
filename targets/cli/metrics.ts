/** DIR/run/metrics.jsonl: one JSON object a line. */
import { readFileSync } from 'node:fs';
import { fileExists, writeText } from '../../src/files.ts';

/** Drops what a killed run logged beyond the checkpoint that it goes on from, and what a power cut tore. */
export function cutMetrics(path: string, step: number, epochsDone: number): void {
  const lines = fileExists(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const end = lines.findIndex((line) => isBeyond(line, step, epochsDone));
  writeText(
    path,
    lines
      .slice(0, end)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

/** Of a step not yet done or an epoch not yet judged; a torn line, or the nothing after the last. */
function isBeyond(line: string, step: number, epochsDone: number): boolean {
  let entry: { step?: number; epoch: number };
  try {
    entry = JSON.parse(line);
  } catch {
    return true;
  }
  return entry.step === undefined ? entry.epoch > epochsDone : entry.step > step;
}
