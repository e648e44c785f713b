/** What a run tells in the end. */
import { State } from '../../assembly/abi/head.ts';
import { defined } from '../base/defined.ts';
import { bytesWritten } from '../base/files.ts';
import { resident } from '../base/processmemory.ts';
import type { PlanReport } from '../budget/report.ts';
import type { Prepared } from '../data/prepare.ts';
import type { Engine } from '../engine/engine.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { type Companions, rememberingOf } from './companions.ts';
import { resultOf } from './figures.ts';
import type { HeadFound, NoHead } from './headstart.ts';
import type { JobResult, TrainJob } from './jobtypes.ts';
import { measuredRates } from './measure.ts';
import { type Outcome, warningOf } from './outcome.ts';
import type { RunFolder } from './runfolder.ts';
import type { TrainOptions } from './train.ts';

/** What a run is charged for: the clock, the card and memory, from its first line on. */
export interface Meter {
  began: number;
  written: number;
  residentBefore: number;
}

/** What it was. */
export interface Ran extends Omit<Parameters<typeof rememberingOf>[0], 'labels'> {
  job: TrainJob;
  meter: Meter;
  options: TrainOptions;
  engine: Engine;
  plan: PlanReport;
  labels: string[];
  task: TaskSettings;
  prepared: Prepared;
  threads: number;
  trainingBegan: { ms: number; written: number };
  peakOfTrainingAlone: boolean;
  residentPeakPreparing: number;
}

/** What came of it, beside the run's own history. */
export interface Ending {
  failures: string[];
  outcome: Outcome;
  head: HeadFound | NoHead | null;
  companions: Companions;
  memoryBytes: number;
}

export function resultOfJob(
  work: Ran,
  { history }: RunFolder,
  { failures, outcome, head, companions: { known, memory }, memoryBytes }: Ending,
): JobResult {
  const { job, meter, options, engine, plan, labels, task, prepared, threads, trainingBegan } = work;
  const written = bytesWritten();
  return {
    adapter: job.out,
    failures,
    plan,
    classes: labels,
    task,
    classWeights: engine.program.about.classWeights ?? null,
    head,
    known: 'why' in known ? known : { judged: known.judged.length },
    ...rememberingOf(work, memory, memoryBytes),
    epochs: history.epochs.map(resultOf),
    bestEpoch: history.bestEpoch,
    accuracy: outcome.accuracy,
    judged: outcome,
    warning: warningOf(outcome, history, plan.method),
    wentBack: history.backs,
    finalRate: engine.state.getFloat32(State.BaseRate, true),
    skipped: prepared.skipped,
    pictures: {
      train: prepared.train.length,
      val: prepared.val.length,
      cacheBytes: prepared.cache.bytes,
      cacheBytesWritten: prepared.bytesWritten,
      decoder: prepared.decoder,
    },
    memory: {
      linearBytes: engine.memory.buffer.byteLength,
      plannedBytes: plan.linearBytes,
      residentPeakBytes: resident().peak,
      peakOfTrainingAlone: work.peakOfTrainingAlone,
      residentPeakPreparingBytes: work.residentPeakPreparing,
      decoderPeakBytes: prepared.decoderPeakBytes,
      residentBeforeBytes: meter.residentBefore,
    },
    threads,
    bytesWritten: written - meter.written,
    bytesWrittenPerHour: Math.round(((written - trainingBegan.written) * 3600e3) / Math.max(1, Date.now() - trainingBegan.ms)),
    seconds: (Date.now() - meter.began) / 1000,
    rate: options.rate,
    ...defined({ rates: measuredRates(engine) }),
  };
}
