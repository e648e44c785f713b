/** What thread 0 and the engine's other threads agree on. */
import { Head } from '../../assembly/abi/head.ts';
import { Status } from '../../assembly/abi/status.ts';
import type { Range } from '../plan/memory.ts';

/** What a thread is started with. */
export interface Orders {
  memory: WebAssembly.Memory;
  module: WebAssembly.Module;
  /** Scratch of thread 0; the others' follow. */
  scratch: Range;
  thread: number;
  threads: number;
}

/** Releases whoever waits in the team's memory, with the word that it is at an end. */
export function releaseAll(head: Int32Array): void {
  Atomics.compareExchange(head, Head.Status >> 2, Status.Ok, Status.WorkerLost);
  Atomics.add(head, Head.Generation >> 2, 1);
  for (const word of [Head.Generation, Head.Done]) Atomics.notify(head, word >> 2);
}
