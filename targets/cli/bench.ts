/** `s2a bench`: what a training step costs on this machine, and whether it slows down as it warms up. */

import { mebibytes } from '../../src/base/bytes.ts';
import { type Clocks, readMachine } from '../../src/base/machine.ts';
import type { StepSummary } from '../../src/training/steptiming.ts';
import { showAnchors } from './anchors.ts';
import { type Found, measure } from './measure.ts';
import { type Parsed, PLAN_FLAGS, parse } from './options.ts';
import type { Output } from './output.ts';
import { pairs } from './show.ts';

/** A last quarter slower than the first by more than this is said aloud. */
const SLOWED = 1.1;

const FLAGS = {
  ...PLAN_FLAGS,
  classes: 'text',
  seconds: 'text',
  threads: 'text',
  stored: 'text',
  arithmetic: 'text',
  anchors: 'flag',
} as const;
const parseBench = (args: string[]): Parsed => parse(args, FLAGS, { least: 1, most: 1, usage: 's2a bench <model folder>' });

export async function bench(args: string[], out: Output): Promise<void> {
  const p = parseBench(args);
  if (p.flag('anchors')) return showAnchors(p, out, (more) => measure(parseBench([...args, ...more]), out));
  const { summary, memory, threads, plan, times } = await measure(p, out);
  const { runtime } = readMachine();
  const { clocks } = times;
  if (p.flag('json')) return out.json({ ...summary, ms: times.ms, memory, clocks, threads, runtime: runtime.name, plan });
  const heading = `${plan.model} ${plan.imageSize.join('x')}, method ${plan.method}, keep ${plan.keep}, ${plan.arithmetic === 'plain' ? '' : `${plan.arithmetic} arithmetic, `}batch ${plan.batchSize} in passes of ${plan.microBatch}; ${runtime.name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  out.line(lines(summary, memory, clocks, heading));
}

function lines(s: StepSummary, memory: Found['memory'], { first, last }: { first: Clocks; last: Clocks }, heading: string): string {
  const ms = (v: number): string => `${v.toFixed(v < 100 ? 1 : 0)} ms`;
  const rows: [string, string][] = [
    ['a step', `${ms(s.medianMs)} (median of ${s.steps}; nine of ten under ${ms(s.ninthMs)})`],
    ['pictures', `${s.imagesPerSecond.toFixed(1)} a second`],
    ['linear memory', `${mebibytes(memory.linearBytes)}, planned ${mebibytes(memory.plannedBytes)}`],
    ['resident peak', mebibytes(memory.residentPeakBytes)],
    ['over the run', `the last quarter took ${s.slowdown.toFixed(2)} times the first's time`],
    [
      'clock',
      first.mhz.length === 0
        ? 'the system does not tell'
        : `${Math.max(...first.mhz).toFixed(0)} MHz at the start, ${Math.max(...last.mhz).toFixed(0)} at the end`,
    ],
    [
      'heat',
      first.celsius === undefined || last.celsius === undefined
        ? 'the system does not tell'
        : `${first.celsius.toFixed(0)} C at the start, ${last.celsius.toFixed(0)} at the end`,
    ],
  ];
  const slowed =
    s.slowdown > SLOWED
      ? '\n\nIt slowed down: too hot, too little power, or something else ran beside it. A heat sink or a lower clock gives an even speed.'
      : '';
  return `${heading}\n\n${pairs(rows)}${slowed}`;
}
