/**
 * Where a command writes: results on standard output, progress on standard error. Neither may end a command: whoever reads may leave, a disk may be full.
 * Everything passes here, and nothing that a terminal would obey but what the program itself says in colour: what holds names from outside in one
 * line has escaped line feeds too (visible.ts), by the functions that make such lines.
 */
import { writeSync } from 'node:fs';
import { meaningOf } from '../../src/base/files.ts';
import { visible, visibleJson, visibleLines } from '../../src/base/visible.ts';
import { rewrite, SGR, type Style, style, wantsColour } from '../../src/report/terminal.ts';

export interface Output {
  style: Style;
  /** A result. */
  line(text: string): void;
  json(value: unknown): void;
  /** What is going on. */
  note(text: string): void;
  /** One line that a person should see. */
  warn(sentence: string): void;
  /** A line that the next one replaces; nothing where standard error is no terminal. */
  live(text: string): void;
  terminal: boolean;
  columns: number;
  /** Whether results no longer reach anybody: a command that does nothing else may stop. */
  readonly isLost: boolean;
}

/** Exit code where a result could not be written. */
const LOST = 2;

/** A variable of the environment; unset where Deno does not let it be seen. */
function variable(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}

type Stream = NodeJS.WriteStream & { fd: number };

/** Writes to a stream whose failure is told once and ends nothing. Node tells it by an event where it can, by an exception where not. */
function writerOf(stream: Stream, onFailure: (code: string) => void): (text: string) => void {
  let isBroken = false;
  const broke = (error: NodeJS.ErrnoException): void => {
    if (isBroken) return;
    isBroken = true;
    onFailure(error.code ?? error.message);
  };
  stream.on('error', broke);
  return (text) => {
    try {
      // A stream that has failed once keeps what it is given for ever; the disk may have room again.
      if (isBroken) writeSync(stream.fd, text);
      else stream.write(text);
    } catch (error) {
      broke(error as NodeJS.ErrnoException);
    }
  };
}

export function createOutput(): Output {
  const terminal = process.stderr.isTTY === true;
  const isColoured = wantsColour(terminal, { NO_COLOR: variable('NO_COLOR'), TERM: variable('TERM') });
  const plain = (text: string): string =>
    isColoured
      ? text
          .split(SGR)
          .map((part, i) => (i % 2 === 0 ? visibleLines(part) : part))
          .join('')
      : visibleLines(text);
  let isLive = false;
  let isLost = false;
  // Progress that nobody sees is no loss: the results say what was done.
  const progress = writerOf(process.stderr as Stream, () => {});
  const settle = (): void => {
    if (isLive) progress(rewrite(''));
    isLive = false;
  };
  const result = writerOf(process.stdout as Stream, (code) => {
    isLost = true;
    // `s2a predict … | head`: who reads has had enough, which is no fault. Of a terminal that is gone the signal tells.
    if (code === 'EPIPE') return;
    settle();
    progress(`s2a: standard output: cannot be written: ${meaningOf(code)}\n`);
    process.exitCode ||= LOST;
  });
  return {
    style: style(isColoured),
    line(text) {
      settle();
      result(`${plain(text)}\n`);
    },
    json(value) {
      settle();
      result(`${visibleJson(JSON.stringify(value))}\n`);
    },
    note(text) {
      settle();
      progress(`${plain(text)}\n`);
    },
    warn(sentence) {
      this.note(this.style.yellow(visible(sentence)));
    },
    live(text) {
      if (!terminal) return;
      progress(rewrite(plain(text)));
      isLive = true;
    },
    terminal,
    get columns() {
      return process.stderr.columns ?? 80;
    },
    get isLost() {
      return isLost;
    },
  };
}
