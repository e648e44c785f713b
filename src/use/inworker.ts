/** A run in a thread of its own, as its caller sees it: the caller's event loop never waits for it. */
import { Worker } from 'node:worker_threads';
import { EngineError } from '../base/error.ts';
import { errorFrom } from '../base/errorcopy.ts';
import { ownFile } from '../base/ownfile.ts';
import type { PlanReport } from '../budget/report.ts';
import { givenEngines } from '../engine/wasm.ts';
import type { JobHooks, JobResult, TrainJob } from '../training/jobtypes.ts';
import type { Message, Order, Told } from './trainworker.ts';

/** What a run in a thread of its own tells: what of JobHooks can leave the thread. `signal` ends it in place of `stopping`. */
export interface WorkerHooks
  extends Pick<JobHooks, 'onPrepare' | 'onStart' | 'onHead' | 'onFeatures' | 'onStep' | 'onEpoch' | 'onBack' | 'warn' | 'signal'> {
  /** The plan is made; nothing has been read of the pictures yet. */
  onPlan?(plan: PlanReport): void;
}

/** As trainJob, in a thread of its own. An error that a hook throws ends the run as `signal` does, and is thrown once it is saved. */
export async function trainInWorker(job: TrainJob, { signal, ...hooks }: WorkerHooks): Promise<JobResult> {
  const told = (Object.keys(hooks) as Told[]).filter((name) => hooks[name] !== undefined);
  const order: Order = { job, engines: givenEngines(), told };
  const worker = new Worker(ownFile('train.js'), { workerData: order });
  const stop = (): void => worker.postMessage('stop');
  let thrown: { error: unknown } | undefined;
  try {
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: Message) => {
        if ('result' in message) resolve(message.result);
        else if ('error' in message) reject(errorFrom(message.error));
        else if (thrown === undefined) {
          try {
            (hooks[message.told] as ((event: unknown) => void) | undefined)?.(message.event);
          } catch (error) {
            thrown = { error };
            stop();
          }
        }
      });
      worker.on('error', reject);
      worker.on('exit', (code) =>
        reject(new EngineError({ where: 'trainInWorker', what: 'its thread ended early', got: `exit code ${code}` })),
      );
    });
  } catch (error) {
    throw thrown ? thrown.error : error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
