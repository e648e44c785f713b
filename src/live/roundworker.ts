/** A round in a thread of its own, as that thread sees it: one order, what it tells, how it ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { copyOf, type ErrorCopy } from '../base/errorcopy.ts';
import { useEngine } from '../engine/wasm.ts';
import { type Progress, type RoundOrder, runRound } from './round.ts';
import type { Decision } from './state.ts';

export interface Start {
  order: RoundOrder;
  engines: Parameters<typeof useEngine>[0];
}

/** What the thread says: how far it is, a sentence, or its last word. */
export type Message = { progress: Progress } | { warn: string } | { decision: Decision } | { error: ErrorCopy };

const port = parentPort!;
const say = (message: Message): void => port.postMessage(message);
const stop = new AbortController();
port.on('message', () => stop.abort());

const { order, engines } = workerData as Start;
try {
  await useEngine(engines);
  const decision = await runRound(order, {
    onProgress: (progress) => say({ progress }),
    warn: (warn) => say({ warn }),
    signal: stop.signal,
  });
  say({ decision });
} catch (error) {
  say({ error: copyOf(error) });
} finally {
  port.close();
}
