/** A program that goes on: it looks at its folder again and again until it is asked to stop. */
import { InputError, Interrupted, S2aError } from '../base/error.ts';
import type { Watch } from './watchtypes.ts';

/** Resolves after so many milliseconds, or once the signal is aborted. */
export const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });

export interface LoopOptions {
  /** Milliseconds between two looks. */
  everyMs: number;
  signal: AbortSignal;
  /** After each look. */
  after?(): void | Promise<void>;
  /** What cannot get better by itself: thrown where absent; else told, and looked at again after `failedMs`. */
  onFailure?(error: S2aError): void;
  failedMs?: number;
}

/** Looks until `signal`; a round that goes on then is saved, and goes on at the next start. */
export async function watchUntil(watch: Watch, { everyMs, signal, after, onFailure, failedMs = 600e3 }: LoopOptions): Promise<void> {
  while (!signal.aborted) {
    let pause = everyMs;
    try {
      await watch.look(signal);
      await after?.();
    } catch (error) {
      if (error instanceof Interrupted && signal.aborted) return;
      if (!(error instanceof S2aError) || onFailure === undefined) throw error;
      onFailure(error);
      pause = error instanceof InputError && error.code === 'S2A_DISK' ? everyMs : failedMs;
    }
    await rest(pause, signal);
  }
}
