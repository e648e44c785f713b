/** The signals by which a run is asked to stop. It ends at the next place where it can be saved, and is saved. */

/** Ctrl-C; a service that is stopped; a terminal or an SSH session that is gone. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `action` with a signal that is aborted when the process is asked to stop. Ctrl-C pressed twice ends the process at once; the others
 * are often sent more than once by the system itself (a shell and its terminal each send SIGHUP), so that only the first counts.
 */
export async function untilStopped<T>(action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  for (const signal of SIGNALS) signal === 'SIGINT' ? process.once(signal, stop) : process.on(signal, stop);
  try {
    return await action(controller.signal);
  } finally {
    // One that was heard stays heard to the end of the process: its second must not change the exit code. So does a lost terminal: what is left
    // to write (a report, the summary) is then written all the same.
    if (!controller.signal.aborted) for (const signal of SIGNALS) if (signal !== 'SIGHUP') process.removeListener(signal, stop);
  }
}
