/** A long job in a thread of its own, as its caller sees it: the caller's event loop never waits for it. */
import { Worker } from 'node:worker_threads';
import { EngineError } from '../base/error.ts';
import { errorFrom } from '../base/errorcopy.ts';
import { ownFile } from '../base/ownfile.ts';
import { givenEngines } from '../engine/wasm.ts';
import type { Message, Start } from './ownthreadside.ts';

/** A job's file in dist/, what an error of the thread itself is said of, what the job is to do, and who listens. */
export interface Started<Order> {
  file: 'train.js' | 'round.js';
  where: string;
  order: Order;
  /** What of the job's hooks can leave the thread; `signal` ends it. */
  hooks: { signal?: AbortSignal | undefined };
}

/** The job's result, or its error. An error that a hook throws ends the job as `signal` does, and is thrown once that has ended. */
export async function inOwnThread<Order, Result>({ file, where, order, hooks: { signal, ...hooks } }: Started<Order>): Promise<Result> {
  const listening = new Map(Object.entries(hooks as Record<string, ((event: unknown) => void) | undefined>).filter(([, hook]) => hook));
  const start: Start<Order> = { order, engines: givenEngines(), told: [...listening.keys()] };
  const worker = new Worker(ownFile(file), { workerData: start });
  const stop = (): void => worker.postMessage('stop');
  let thrown = undefined as { error: unknown } | undefined;
  try {
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    const result = await new Promise<Result>((resolve, reject) => {
      worker.on('message', (message: Message) => {
        if ('result' in message) resolve(message.result as Result);
        else if ('error' in message) reject(errorFrom(message.error));
        else if (thrown === undefined) {
          try {
            listening.get(message.told)?.(message.event);
          } catch (error) {
            thrown = { error };
            stop();
          }
        }
      });
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new EngineError({ where, what: 'its thread ended early', got: `exit code ${code}` })));
    });
    if (thrown) throw thrown.error;
    return result;
  } catch (error) {
    throw thrown ? thrown.error : error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
