/**
 * `s2a bench --anchors`: the quantity in which boards are compared, seconds a picture while training at 224×224 by sixteen, with the head alone learning and with
 * everything, in each arithmetic that there is; and one line of it to send to others.
 */
import { cpus } from 'node:os';
import { relaxedMadd } from '../../src/base/arithmetic.ts';
import { InputError } from '../../src/base/error.ts';
import { boardName, readMachine } from '../../src/base/machine.ts';
import { VERSION } from '../../src/base/version.ts';
import { visible } from '../../src/base/visible.ts';
import { formatBytes, table } from '../../src/report/terminal.ts';
import type { Found } from './measure.ts';
import type { Parsed } from './options.ts';
import type { Output } from './output.ts';

/** What anchors settle themselves. */
const SETTLED = [
  'method',
  'last',
  'depth',
  'weights',
  'resident',
  'stored',
  'optimizer',
  'batch-size',
  'image-size',
  'arithmetic',
] as const;

interface Anchor {
  /** What learns. */
  learns: 'head' | 'all';
  /** Frozen weights in f32, or coded and multiplied in whole numbers; or sums in f32 by fused multiply-add. */
  arithmetic: 'f32' | 'int8' | 'fast';
  secondsPerImage: number;
  linearBytes: number;
  microBatch: number;
}

/** Where all learns, nothing is frozen that could be coded. */
const ALL: readonly Pick<Anchor, 'learns' | 'arithmetic'>[] = [
  { learns: 'head', arithmetic: 'f32' },
  { learns: 'head', arithmetic: 'int8' },
  { learns: 'head', arithmetic: 'fast' },
  { learns: 'all', arithmetic: 'f32' },
  { learns: 'all', arithmetic: 'fast' },
];

const optionsOf = ({ learns, arithmetic }: Pick<Anchor, 'learns' | 'arithmetic'>): string[] => [
  ...['--image-size', '224', '--batch-size', '16', '--method', learns === 'head' ? 'probe' : 'full'],
  ...(arithmetic === 'int8' ? ['--weights', 'int8'] : []),
  ...(arithmetic === 'fast' ? ['--arithmetic', 'fast'] : []),
];

const seconds = (value: number): string => value.toPrecision(3);

/** `head f32 0.0720 int8 0.0510; all f32 0.187 s/picture`. */
export const figures = (rows: readonly Pick<Anchor, 'learns' | 'arithmetic' | 'secondsPerImage'>[]): string =>
  `${(['head', 'all'] as const)
    .map((learns) => {
      const found = rows.filter((row) => row.learns === learns).map((row) => `${row.arithmetic} ${seconds(row.secondsPerImage)}`);
      return `${learns} ${found.join(' ')}`;
    })
    .join('; ')} s/picture`;

/** Measures each, one after the other. `measure` takes options beside those that were given. */
export async function showAnchors(p: Parsed, out: Output, measure: (more: string[]) => Promise<Found>): Promise<void> {
  for (const name of SETTLED)
    if (p.text(name) !== undefined)
      throw new InputError({ where: `--${name}`, what: 'is settled by --anchors', hint: 'leave one of them out' });
  const hasFast = relaxedMadd() === 'fused';
  const rows: Anchor[] = [];
  let last: Found | undefined;
  for (const cell of ALL.filter(({ arithmetic }) => arithmetic !== 'fast' || hasFast)) {
    out.live(`${cell.learns} learns, ${cell.arithmetic}`);
    last = await measure(optionsOf(cell));
    const { summary, memory, plan } = last;
    rows.push({ ...cell, secondsPerImage: 1 / summary.imagesPerSecond, linearBytes: memory.linearBytes, microBatch: plan.microBatch });
  }
  const { plan, threads } = last!;
  const { runtime, system } = readMachine();
  const machine = boardName() ?? cpus()[0]?.model.trim() ?? 'unknown';
  const line = visible(
    `s2a ${VERSION} | ${plan.model} 224x224 by 16 | ${machine}, ${system.userland}, ${runtime.name}, ${threads} ${threads === 1 ? 'thread' : 'threads'} | ${figures(rows)}`,
  );
  if (p.flag('json')) return out.json({ model: plan.model, machine, system, runtime: runtime.name, threads, rows, line });
  const head = ['learns', 'arithmetic', 's/picture', 'linear memory', 'passes'];
  const cells = rows.map((row) => [
    ...[row.learns, row.arithmetic, seconds(row.secondsPerImage), formatBytes(row.linearBytes)],
    `${16 / row.microBatch} x ${row.microBatch}`,
  ]);
  const without = hasFast ? '' : '\n\nNo fast: this runtime or this processor has no fused multiply-add in WebAssembly.';
  out.line(`${table([head, ...cells])}${without}\n\nto send in:\n${line}`);
}
