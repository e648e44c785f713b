/** `s2a bench`: what a training step costs on this machine, and whether it slows down as it warms up. */

import { mebibytes } from '../../src/base/bytes.ts';
import { type Clocks, readMachine } from '../../src/base/machine.ts';
import { resetPeak, resident } from '../../src/base/processmemory.ts';
import { planReport } from '../../src/budget/report.ts';
import { createEngine, type Engine, loadWeights } from '../../src/engine/engine.ts';
import { openStoredFor } from '../../src/engine/storedfile.ts';
import { threadsOf } from '../../src/engine/threads.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { openModelFolder, openWeights, preprocessOf } from '../../src/import/modelfolder.ts';
import { isPictures } from '../../src/pictures/channels.ts';
import { type StepSummary, summarise, timeSteps } from '../../src/training/steptiming.ts';
import { planWithFile } from '../../src/use/storedplan.ts';
import { PLAN_FLAGS, parse, read, real } from './options.ts';
import type { Output } from './output.ts';
import { planOptions } from './plan.ts';
import { pairs } from './show.ts';

/** A last quarter slower than the first by more than this is said aloud. */
const SLOWED = 1.1;

export async function bench(args: string[], out: Output): Promise<void> {
  const flags = { ...PLAN_FLAGS, classes: 'text', seconds: 'text', threads: 'text', stored: 'text', fast: 'flag' } as const;
  const p = parse(args, flags, { least: 1, most: 1, usage: 's2a bench <model folder>' });
  const options = { ...planOptions(p), batchSize: read(p, 'batchSize') ?? 8 };
  const seconds = real(p, 'seconds', 1, 86400) ?? 20;
  const base = openModelFolder(p.positionals[0]!, read(p, 'imageSize'));
  const file = p.text('stored');
  const compiled = planWithFile(
    { ...options, ...(isPictures(base.model.channels) ? { normalize: preprocessOf(base) } : {}), fast: p.flag('fast') },
    file,
  );
  const plan = planReport(compiled, options.batchSize, options.budgetBytes);
  const { runtime } = readMachine();
  const weights = openWeights(base, { method: options.method });
  let engine: Engine | undefined;
  const stored = openStoredFor(compiled.program, file);
  try {
    resetPeak();
    const shared = threadsOf(read(p, 'threads') ?? 'auto', compiled.plan);
    engine = createEngine(compiled.program, engineBytes(shared, compiled.program.about), shared);
    loadWeights(engine, weights, 0, stored);
    let done = 0;
    const times = await timeSteps(engine, options.batchSize, seconds, (ms) => out.live(`step ${++done}: ${ms.toFixed(0)} ms`));
    const summary = summarise(times, options.batchSize);
    const memory = { plannedBytes: plan.linearBytes, linearBytes: engine.memory.buffer.byteLength, residentPeakBytes: resident().peak };
    const { clocks } = times;
    if (p.flag('json')) out.json({ ...summary, ms: times.ms, memory, clocks, threads: shared, runtime: runtime.name, plan });
    else
      out.line(
        lines(
          summary,
          memory,
          clocks,
          `${plan.model} ${plan.imageSize.join('x')}, method ${plan.method}, keep ${plan.keep}, batch ${plan.batchSize} in passes of ${plan.microBatch}; ${runtime.name}, ${shared} ${shared === 1 ? 'thread' : 'threads'}`,
        ),
      );
  } finally {
    await engine?.close();
    stored?.close(true);
    weights.close();
  }
}

function lines(
  s: StepSummary,
  memory: { plannedBytes: number; linearBytes: number; residentPeakBytes: number },
  { first, last }: { first: Clocks; last: Clocks },
  heading: string,
): string {
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
