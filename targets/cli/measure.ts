/** Steps of one job against the clock. */
import { settleArithmetic } from '../../src/base/arithmetic.ts';
import { resetPeak, resident } from '../../src/base/processmemory.ts';
import { type PlanReport, planReport } from '../../src/budget/report.ts';
import { createEngine, type Engine, loadWeights } from '../../src/engine/engine.ts';
import { openStoredFor } from '../../src/engine/storedfile.ts';
import { threadsOf } from '../../src/engine/threads.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { openModelFolder, openWeights, preprocessOf } from '../../src/import/modelfolder.ts';
import { isPictures } from '../../src/pictures/channels.ts';
import { type StepSummary, type StepTimes, summarise, timeSteps } from '../../src/training/steptiming.ts';
import { planWithFile } from '../../src/use/storedplan.ts';
import { type Parsed, read, real } from './options.ts';
import type { Output } from './output.ts';
import { planOptions } from './plan.ts';

/** What a measurement found. */
export interface Found {
  summary: StepSummary;
  times: StepTimes;
  memory: { plannedBytes: number; linearBytes: number; residentPeakBytes: number };
  threads: number;
  plan: PlanReport;
}

/** Steps of one job, as its options say. */
export async function measure(p: Parsed, out: Output): Promise<Found> {
  const options = { ...planOptions(p), batchSize: read(p, 'batchSize') ?? 8 };
  const seconds = real(p, 'seconds', 1, 86400) ?? (p.flag('anchors') ? 10 : 20);
  const base = openModelFolder(p.positionals[0]!, read(p, 'imageSize'));
  const file = p.text('stored');
  const normalize = isPictures(base.model.channels) ? { normalize: preprocessOf(base) } : {};
  const compiled = planWithFile({ ...options, ...normalize, arithmetic: settleArithmetic(read(p, 'arithmetic')) }, file);
  const plan = planReport(compiled, options.batchSize, options.budgetBytes);
  const weights = openWeights(base, { method: options.method });
  let engine: Engine | undefined;
  const stored = openStoredFor(compiled.program, file);
  try {
    resetPeak();
    const threads = threadsOf(read(p, 'threads') ?? 'auto', compiled.plan);
    engine = createEngine(compiled.program, engineBytes(threads, compiled.program.about), threads);
    loadWeights(engine, weights, 0, stored);
    let done = 0;
    const times = await timeSteps(engine, options.batchSize, seconds, (ms) => out.live(`step ${++done}: ${ms.toFixed(0)} ms`));
    const summary = summarise(times, options.batchSize);
    const memory = { plannedBytes: plan.linearBytes, linearBytes: engine.memory.buffer.byteLength, residentPeakBytes: resident().peak };
    return { summary, times, memory, threads, plan };
  } finally {
    await engine?.close();
    stored?.close(true);
    weights.close();
  }
}
