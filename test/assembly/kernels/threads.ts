/** Runs `run` once as each of `threads` threads, one after the other, as the engine's threads would side by side; `perThread` bytes of scratch each. */
import type { openRig } from '../../support/rig.ts';

export function onThreads(rig: ReturnType<typeof openRig>, threads: number, perThread: number, run: () => void): void {
  for (let t = 0; t < threads; t++) {
    rig.kernels.setup(0, rig.scratch, perThread, t, threads);
    run();
  }
  rig.kernels.setup(0, rig.scratch, perThread, 0, 1);
}
