/** DIR/run/metrics.jsonl: one JSON object a line. */
import { InputError } from '../../src/base/error.ts';
import { appendText, type ByteSource, fileExists, openFile, writeAtomic, writeText } from '../../src/base/files.ts';

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

const CHUNK_BYTES = 1 << 16;
/** Longer than any line that is written. */
const LINE_BYTES = 1 << 20;
const NEWLINE = 10;

/**
 * Drops what a killed run logged beyond the checkpoint that it goes on from, and what a power cut tore. The log of a long run is large: it is
 * read, and copied, by pieces.
 */
export function cutMetrics(path: string, place: Place): void {
  if (fileExists(path)) cutLines(path, beyond(place));
  else writeText(path, '');
}

/** Drops the lines of a file from the first that is beyond. */
export function cutLines(path: string, isBeyond: (line: string) => boolean): void {
  const source = openFile(path);
  try {
    const end = endOf(source, isBeyond);
    writeAtomic(path, (write) => {
      for (const piece of pieces(source, end)) write(piece);
    });
  } finally {
    source.close();
  }
}

/** Bytes before the first line that is beyond; one that is longer than any, or has no end, is torn. */
function endOf(source: ByteSource, isBeyond: (line: string) => boolean): number {
  let end = 0;
  let line: number[] = [];
  for (const piece of pieces(source, source.size)) {
    for (const byte of piece) {
      if (byte !== NEWLINE) {
        if (line.push(byte) > LINE_BYTES) return end;
        continue;
      }
      if (isBeyond(new TextDecoder().decode(Uint8Array.from(line)))) return end;
      end += line.length + 1;
      line = [];
    }
  }
  return end;
}

function* pieces(source: ByteSource, end: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < end; at += CHUNK_BYTES) {
    const piece = buffer.subarray(0, Math.min(CHUNK_BYTES, end - at));
    source.readAt(at, piece);
    yield piece;
  }
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
