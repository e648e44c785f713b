/** A run in a thread of its own, as its caller sees it. */
import type { PlanReport } from '../budget/report.ts';
import type { JobHooks, JobResult, TrainJob } from '../training/jobtypes.ts';
import { inOwnThread } from './ownthread.ts';

/** What a run in a thread of its own tells: what of JobHooks can leave the thread. `signal` ends it in place of `stopping`. */
export interface WorkerHooks
  extends Pick<JobHooks, 'onPrepare' | 'onStart' | 'onHead' | 'onFeatures' | 'onStep' | 'onEpoch' | 'onBack' | 'warn' | 'signal'> {
  /** The plan is made; nothing has been read of the pictures yet. */
  onPlan?(plan: PlanReport): void;
}

/** As trainJob, in a thread of its own. An error that a hook throws ends the run as `signal` does, and is thrown once it is saved. */
export const trainInWorker = (job: TrainJob, hooks: WorkerHooks): Promise<JobResult> =>
  inOwnThread({ file: 'train.js', where: 'trainInWorker', order: job, hooks });
