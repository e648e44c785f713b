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

/** A variable of the environment; unset where Deno does not let it be seen. */
function variable(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}

export function createOutput(): Output {
  const terminal = process.stderr.isTTY === true;
  // `s2a predict … | head`: who reads has had enough, which is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  let isLive = false;
  const settle = (): void => {
    if (isLive) process.stderr.write(rewrite(''));
    isLive = false;
  };
  return {
    style: style(wantsColour(terminal, { NO_COLOR: variable('NO_COLOR'), TERM: variable('TERM') })),
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
