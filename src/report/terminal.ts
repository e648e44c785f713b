/**
 * What the command line prints, as pure functions from data to text. ASCII alone: a board's serial console may know no more.
 */
import { mebibytes } from '../base/bytes.ts';
import { visible } from '../base/visible.ts';
import { type MemoryParts, type PlanColumn, paddingBytes, partsOf } from './data.ts';

const KIB = 1024;
const MIB = 1024 * 1024;

/** `512 B`, `31.5 KiB`, `18.4 MiB`: binary units, one decimal, never beyond MiB, so that columns compare at a glance. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  if (size < KIB) return `${bytes} B`;
  // What would round to 1024.0 KiB is 1.0 MiB.
  if (size < MIB - KIB / 20) return `${(bytes / KIB).toFixed(1)} KiB`;
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

/** `0.8 s`, `42 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** `75.3 %` */
export function formatPercent(fraction: number): string {
  return Number.isFinite(fraction) ? `${(100 * fraction).toFixed(1)} %` : '-';
}

/** The codes of `style`, apart. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const SGR = /(\x1b\[(?:1|2|22|31|32|33|39)m)/;

export type Style = Record<'bold' | 'dim' | 'red' | 'green' | 'yellow', (text: string) => string>;

/** Colours, or their absence. */
export function style(colour: boolean): Style {
  const paint = (on: number, off: number) => (text: string) => (colour ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39) };
}

/** Whether to colour: only a terminal, and not when NO_COLOR is set to anything (no-color.org) or the terminal is dumb. */
export function wantsColour(terminal: boolean, environment: Record<string, string | undefined>): boolean {
  return terminal && !environment.NO_COLOR && environment.TERM !== 'dumb';
}

export interface Progress {
  /** 1 is the first. */
  epoch: number;
  epochs: number;
  /** Steps done in the whole run. */
  step: number;
  steps: number;
  loss: number;
  /** Of the training pictures seen in this epoch. */
  accuracy?: number;
  imagesPerSecond: number;
  secondsLeft: number;
}

/** The numbers of a progress line, from the most to the least wanted. */
function numbers(p: Progress): string[] {
  const list = [`epoch ${p.epoch}/${p.epochs}`, `loss ${p.loss.toFixed(3)}`];
  if (p.accuracy !== undefined) list.push(`accuracy ${formatPercent(p.accuracy)}`);
  list.push(`${formatDuration(p.secondsLeft)} left`, `${p.imagesPerSecond.toFixed(1)} images/s`, `step ${p.step}/${p.steps}`);
  return list;
}

/** `[=====>     ]`, `width` characters in all. */
export function bar(fraction: number, width: number): string {
  const inner = Math.max(1, width - 2);
  const done = Math.round(Math.min(1, Math.max(0, fraction || 0)) * inner);
  const head = done > 0 && done < inner ? `${'='.repeat(done - 1)}>` : '='.repeat(done);
  return `[${head.padEnd(inner)}]`;
}

/** One line that stays under `columns` characters: the bar takes what the numbers leave, the last numbers go first. */
export function progressLine(p: Progress, columns = 80): string {
  const list = numbers(p);
  const room = Math.max(10, columns - 1);
  while (list.length > 1 && list.join('  ').length + 14 > room) list.pop();
  const text = list.join('  ');
  const width = Math.min(30, room - text.length - 2);
  return width < 6 ? text.slice(0, room) : `${bar(p.step / p.steps, width)}  ${text}`;
}

/** Puts a line in the place of the one before, on a terminal. */
export const rewrite = (line: string): string => `\r${line}\x1b[K`;

/** The same numbers for a log file. */
export const plainLine = (p: Progress): string => numbers(p).join('  ');

export interface EpochLine {
  epoch: number;
  epochs: number;
  trainLoss: number;
  valLoss: number;
  valAccuracy: number;
  /** What is said instead of the accuracy where the task is another. */
  score?: { name: string; text: string };
  seconds: number;
  best: boolean;
}

/** What stays on the screen when an epoch is over. */
export function epochLine(e: EpochLine): string {
  const count = `${String(e.epoch).padStart(String(e.epochs).length)}/${e.epochs}`;
  // Where nothing is judged there is no accuracy.
  const judged = Number.isNaN(e.valLoss)
    ? ''
    : `  validation ${e.valLoss.toFixed(3)}  ${e.score?.name ?? 'accuracy'} ${(e.score?.text ?? formatPercent(e.valAccuracy)).padStart(7)}`;
  return `epoch ${count}  loss ${e.trainLoss.toFixed(3)}${judged}  ${formatDuration(e.seconds)}${e.best ? '  best' : ''}`;
}

/** Columns in line: the first to the left, the others to the right; two spaces between, none at the end of a line. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/** Plans side by side, part by part, with what they need in all and the budget under it. */
export function planTable(plans: readonly PlanColumn[], budgetBytes?: number): string {
  const row = (label: string, value: (plan: PlanColumn) => number) => [label, ...plans.map((plan) => mebibytes(value(plan)))];
  const part = ({ key, label }: { key: keyof MemoryParts; label: string }) => row(label, (plan) => plan.parts[key] ?? 0);
  const rows = [['', ...plans.map((plan) => plan.label)], ...partsOf(plans).map(part), row('padding', paddingBytes)];
  rows.push(row('linear memory', (plan) => plan.linearBytes));
  if (budgetBytes !== undefined) {
    rows.push(row('budget', () => budgetBytes));
    rows.push(['', ...plans.map((plan) => (plan.linearBytes <= budgetBytes ? 'fits' : 'does not fit'))]);
  }
  return table(rows);
}
