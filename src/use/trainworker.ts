/** A run in a thread of its own, as that thread sees it: one job, what it tells, how it ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { copyOf, type ErrorCopy } from '../base/errorcopy.ts';
import { useEngine } from '../engine/wasm.ts';
import { trainJob } from '../training/job.ts';
import type { JobHooks, JobResult, TrainJob } from '../training/jobtypes.ts';

/** What the thread is started with. `told`: the hooks that somebody listens to. */
export interface Order {
  job: TrainJob;
  engines: Parameters<typeof useEngine>[0];
  told: readonly Told[];
}
/** Hooks whose events can be cloned as they are. */
export type Told = 'onPlan' | 'onPrepare' | 'onStart' | 'onHead' | 'onFeatures' | 'onStep' | 'onEpoch' | 'onBack' | 'warn';

/** What the thread says: an event, or its last word. */
export type Message = { told: Told; event: unknown } | { result: JobResult } | { error: ErrorCopy };

/** Of an event what a hook is promised, without what cannot leave the thread. */
const SHOWN: Partial<Record<Told, (event: never) => unknown>> = {
  onFeatures: ({ node, bytes }: { node: string; bytes: number }) => ({ node, bytes }),
};

const port = parentPort!;
const say = (message: Message): void => port.postMessage(message);
const stop = new AbortController();
port.on('message', () => stop.abort());

const { job, engines, told } = workerData as Order;
const hooks = Object.fromEntries(told.map((name) => [name, (event: never) => say({ told: name, event: SHOWN[name]?.(event) ?? event })]));
try {
  await useEngine(engines);
  say({ result: await trainJob(job, { ...(hooks as JobHooks), signal: stop.signal }) });
} catch (error) {
  say({ error: copyOf(error) });
} finally {
  port.close();
}
