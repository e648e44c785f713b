/** One round: a training run from the adapter in use, and the gate. It is the same whether it runs here or in a thread of its own. */
import { join } from 'node:path';
import { Interrupted } from '../base/error.ts';
import { formatPercent } from '../report/terminal.ts';
import { trainJob } from '../training/job.ts';
import type { JobHooks, JobResult, TrainJob } from '../training/jobtypes.ts';
import { decide, type GateOptions } from './gate.ts';
import { judge, type Labelled } from './judge.ts';
import type { Decision } from './state.ts';

/** What a round is to do; it can be cloned. */
export interface RoundOrder {
  /** The run: resumed where it was broken off. */
  job: TrainJob;
  /** Held out of earlier rounds, and of this one. */
  held: readonly Labelled[];
  fresh: readonly Labelled[];
  gate: GateOptions;
}

/** What a round tells while it goes. */
export interface RoundHooks {
  onProgress?(progress: Progress): void;
  warn?(sentence: string): void;
  signal?: AbortSignal;
}

export interface Progress {
  step: number;
  steps: number;
}

export type RunRound = (order: RoundOrder, hooks: RoundHooks) => Promise<Decision>;

/** Trains and judges. Throws what trainJob throws; Interrupted where `signal` ended it, and it is saved. */
export const runRound: RunRound = async ({ job, held, fresh, gate }, { onProgress, warn, signal }) => {
  let [step, steps] = [0, 0];
  const hooks: JobHooks = {
    onStart(event) {
      steps = event.totalSteps;
    },
    onStep(event) {
      step = event.step;
      onProgress?.({ step, steps });
    },
    ...(warn ? { warn } : {}),
    ...(signal ? { signal } : {}),
  };
  const result = await trainJob(job, hooks);
  if (job.from === undefined) return firstDecision(result);
  if (result.warning !== null) return { isAccepted: false, why: result.warning };
  try {
    const counts = await judge({ job, before: job.from, after: result.adapter, held, fresh, folder: join(job.out, 'judge'), signal });
    return decide(counts, gate);
  } catch (error) {
    if (signal?.aborted) throw new Interrupted('interrupted while two adapters were compared; the run is saved');
    throw error;
  }
};

/** The first adapter has none to be compared with. */
function firstDecision({ warning, accuracy, judged }: JobResult): Decision {
  if (warning !== null) return { isAccepted: false, why: warning };
  const right =
    accuracy === null ? 'no picture judged it' : `it is right on ${formatPercent(accuracy)} of ${judged.pictures} held-out pictures`;
  return { isAccepted: true, why: `the first one; ${right}`, counts: { pictures: judged.pictures, accuracy } };
}
