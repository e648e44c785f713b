/** A round in a thread of its own, as its caller sees it: whatever an instruction, planning or a checkpoint takes, an answer does not wait for it. */
import { Worker } from 'node:worker_threads';
import { EngineError } from '../base/error.ts';
import { errorFrom } from '../base/errorcopy.ts';
import { ownFile } from '../base/ownfile.ts';
import { givenEngines } from '../engine/wasm.ts';
import type { RunRound } from './round.ts';
import type { Message, Start } from './roundworker.ts';

export const runRoundInThread: RunRound = async (order, { onProgress, warn, signal }) => {
  const start: Start = { order, engines: givenEngines() };
  const worker = new Worker(ownFile('round.js'), { workerData: start });
  const stop = (): void => worker.postMessage('stop');
  try {
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: Message) => {
        if ('decision' in message) resolve(message.decision);
        else if ('error' in message) reject(errorFrom(message.error));
        else if ('warn' in message) warn?.(message.warn);
        else onProgress?.(message.progress);
      });
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new EngineError({ where: 'round', what: 'its thread ended early', got: `exit code ${code}` })));
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
};
