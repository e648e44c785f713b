/** A long job in a thread of its own, as that thread sees it: one order, what it tells, how it ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { copyOf, type ErrorCopy } from '../base/errorcopy.ts';
import { useEngine } from '../engine/wasm.ts';

/** What the thread is started with. `told`: names of the hooks that somebody listens to. */
export interface Start<Order> {
  order: Order;
  engines: Parameters<typeof useEngine>[0];
  told: readonly string[];
}

/** What the thread says: an event, or its last word. */
export type Message = { told: string; event: unknown } | { result: unknown } | { error: ErrorCopy };

/** Carries out the thread's order; `shown`: of an event what its hook is promised, where the rest cannot leave the thread. */
export async function carryOutHere<Order, Hooks extends { signal?: AbortSignal }>(
  run: (order: Order, hooks: Hooks) => Promise<unknown>,
  shown: Readonly<Record<string, (event: never) => unknown>> = {},
): Promise<void> {
  const port = parentPort!;
  const say = (message: Message): void => port.postMessage(message);
  const stop = new AbortController();
  port.on('message', () => stop.abort());

  const { order, engines, told } = workerData as Start<Order>;
  const hooks = Object.fromEntries(told.map((name) => [name, (event: never) => say({ told: name, event: shown[name]?.(event) ?? event })]));
  try {
    await useEngine(engines);
    say({ result: await run(order, { ...hooks, signal: stop.signal } as Hooks) });
  } catch (error) {
    say({ error: copyOf(error) });
  } finally {
    // Deno's has none; whoever started this thread ends it.
    port.close?.();
  }
}
