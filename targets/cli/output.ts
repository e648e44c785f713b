/** Where a command writes: results on standard output, progress on standard error. */
import { rewrite, type Style, style, wantsColour } from '../../src/report/terminal.ts';

export interface Output {
  style: Style;
  /** A result. */
  line(text: string): void;
  json(value: unknown): void;
  /** What is going on. */
  note(text: string): void;
  /** A line that the next one replaces; nothing where standard error is no terminal. */
  live(text: string): void;
  terminal: boolean;
  columns: number;
}

export function createOutput(): Output {
  const terminal = process.stderr.isTTY === true;
  let isLive = false;
  const settle = (): void => {
    if (isLive) process.stderr.write(rewrite(''));
    isLive = false;
  };
  return {
    style: style(wantsColour(terminal, process.env)),
    line(text) {
      settle();
      process.stdout.write(`${text}\n`);
    },
    json(value) {
      settle();
      process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note(text) {
      settle();
      process.stderr.write(`${text}\n`);
    },
    live(text) {
      if (!terminal) return;
      process.stderr.write(rewrite(text));
      isLive = true;
    },
    terminal,
    get columns() {
      return process.stderr.columns ?? 80;
    },
  };
}
