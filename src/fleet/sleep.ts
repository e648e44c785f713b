/** Waiting that a stop ends. */
import { Interrupted } from '../base/error.ts';

/** What a node that is stopped ends with. */
export const stopped = (): Interrupted =>
  new Interrupted('stopped; the node stays known to its server, and the same command goes on where it stood');

/** Waits so many seconds; throws Interrupted where `signal` says stop before. */
export const sleepFor = (seconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(stopped());
      else resolve();
    };
    const timer = setTimeout(end, seconds * 1000);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
