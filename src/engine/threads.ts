/** The engine's other threads, as thread 0 sees them: starting them, noticing that one has died, sending them home. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Head } from '../../assembly/abi/head.ts';
import { InputError } from '../base/error.ts';
import { ownFile } from '../base/ownfile.ts';
import type { Program } from '../program/program.ts';
import { hasThreads } from './wasm.ts';
import { type Orders, releaseAll } from './workermessage.ts';

/** How many threads walk a program; `auto`: as many as the machine has cores and the plan has scratch. Results do not depend on it. */
export type Threads = number | 'auto';

export function threadsOf(asked: Threads | undefined, { maxThreads }: Pick<Program, 'maxThreads'>): number {
  if (asked === undefined) return 1;
  // A bundle that took the engine along and not its threads works with one.
  if (asked === 'auto') return hasThreads() ? Math.min(availableParallelism(), maxThreads) : 1;
  if (!Number.isSafeInteger(asked) || asked < 1)
    throw new InputError({ where: '--threads', what: 'wrong value', got: asked, expected: 'auto, or a whole number of at least 1' });
  if (asked > maxThreads)
    throw new InputError({
      where: '--threads',
      what: 'the plan has no scratch for so many',
      got: asked,
      expected: `at most ${maxThreads}`,
      hint: `--max-threads ${asked} reserves it where the budget allows`,
    });
  return asked;
}

export interface Team {
  /** Why the team can go on no more; undefined while all threads live. */
  lost(): string | undefined;
  /** A number that changes while some thread gets on. */
  progress(): number;
  /** Releases every waiting thread: thread 0 will not come any more. */
  fail(why: string): void;
  /** Sends the threads home; resolves when they are gone. */
  close(): Promise<void>;
}

/** For one thread. */
export const ALONE: Team = { lost: () => undefined, progress: () => 0, fail() {}, close: async () => {} };

/** How long a thread that was sent home may take before it is ended. */
const PATIENCE_MS = 2000;

/** Starts one thread with its orders. */
export type StartThread = (orders: Orders) => Worker;

/** A heap of its own is all that a thread needs beside the shared memory, and it needs little of one. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 };
export const startThread: StartThread = (orders) => new Worker(ownFile('thread.js'), { workerData: orders, resourceLimits: LIMITS });

/** Starts threads 1 … `threads`-1. They find their memory and module ready, and need nothing of this thread's event loop. */
export function startTeam(
  program: Program,
  memory: WebAssembly.Memory,
  module: WebAssembly.Module,
  threads: number,
  start: StartThread,
): Team {
  const head = new Int32Array(memory.buffer, 0, Head.Bytes >> 2);
  let why: string | undefined;
  let isClosing = false;
  const lose = (thread: number, what: string): void => {
    if (isClosing) return;
    why ??= `thread ${thread} of ${threads} ended: ${what}`;
    releaseAll(head);
  };
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const thread = i + 1;
    const worker = start({ memory, module, scratch: program.scratch, thread, threads });
    const gone = new Promise<void>((resolve) => {
      worker.on('error', (error: Error) => lose(thread, error.message));
      worker.on('exit', (code) => {
        lose(thread, `exit code ${code}`);
        resolve();
      });
    });
    // A caller that forgets to close is not kept alive by it.
    worker.unref();
    return { worker, gone };
  });
  return {
    lost: () => why,
    progress: () => [Head.Arrived, Head.Generation, Head.Done].reduce((sum, word) => sum + Atomics.load(head, word >> 2), 0),
    fail(what) {
      why ??= what;
      releaseAll(head);
    },
    async close() {
      if (isClosing) return;
      isClosing = true;
      releaseAll(head);
      Atomics.store(head, Head.Stop >> 2, 1);
      Atomics.add(head, Head.Start >> 2, 1);
      Atomics.notify(head, Head.Start >> 2);
      const late = setTimeout(() => {
        for (const { worker } of workers) void worker.terminate();
      }, PATIENCE_MS);
      for (const { worker } of workers) worker.ref();
      await Promise.all(workers.map(({ gone }) => gone));
      clearTimeout(late);
    },
  };
}
