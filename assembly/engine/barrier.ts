/**
 * Where threads meet, over words of the head that all of them share (abi/head.ts): a phase begins with thread 0's signal, passes barriers,
 * and ends with everyone's report. Who waits spins a little, then sleeps; who releases wakes others only if someone sleeps. Compiled into
 * `engine.mt.wasm` alone.
 *
 * Thread 0 belongs to the host, which must learn that a thread has died: it never sleeps longer than PATIENCE, and says `false` then.
 * The others sleep until they are woken. A failure is a number in Head.Status: it releases everyone, and everyone leaves the walk.
 */
import { Head } from '../abi/head';
import { Status } from '../abi/status';
import { base, thread, threads } from './team';

/** Looks at a word before sleeping: some 20 µs, what falling asleep and being woken costs. */
const SPINS: i32 = 10000;
/** Nanoseconds. */
const PATIENCE: i64 = 100_000_000;

@inline function get(word: usize): i32 {
  return atomic.load<i32>(base + word);
}

/** Waits until the word is no longer `old`; false where it still is after a while (thread 0 alone). */
function changes(word: usize, old: i32): bool {
  for (let i = 0; i < SPINS; i++) if (get(word) != old) return true;
  while (get(word) == old) {
    if (sleep(word, old) == TIMED_OUT) return false;
  }
  return true;
}

/** What `atomic.wait` answers when its time is up. */
const TIMED_OUT: i32 = 2;

/** Sleeps while the word is `old`. */
function sleep(word: usize, old: i32): i32 {
  atomic.add<i32>(base + Head.Sleepers, 1);
  // The word is looked at once more by the instruction itself: a release between the loop and here is not slept through.
  const answer = atomic.wait<i32>(base + word, old, thread == 0 ? PATIENCE : -1);
  atomic.sub<i32>(base + Head.Sleepers, 1);
  return answer;
}

/** Steps the word on, and wakes who sleeps on it. */
function step(word: usize): void {
  atomic.add<i32>(base + word, 1);
  if (get(Head.Sleepers) > 0) atomic.notify(base + word, -1);
}

/** The code of a failure anywhere in the team, 0 while there is none. */
export function failure(): i32 {
  return get(Head.Status);
}

/** Makes a failure known, the first one only, and sets everyone free. */
export function announce(status: i32, node: i32): void {
  if (atomic.cmpxchg<i32>(base + Head.Status, Status.Ok, status) == Status.Ok) store<i32>(base + Head.FailedNode, node);
  step(Head.Generation);
}

let isInside = false;
let generation: i32 = 0;

/** The barrier: true when all have come, or the team has failed; false (thread 0 alone) where some are still missing: call again. */
export function meet(): bool {
  if (!isInside) {
    generation = get(Head.Generation);
    if (atomic.add<i32>(base + Head.Arrived, 1) == threads - 1) {
      atomic.store<i32>(base + Head.Arrived, 0);
      step(Head.Generation);
      return true;
    }
    isInside = true;
  }
  // Whoever fails steps the generation on after its status: read here, it was stepped on before, or will be.
  if (failure() == 0 && !changes(Head.Generation, generation)) return false;
  isInside = false;
  return true;
}

/** Thread 0: sends the others to the instructions in [code, end). */
export function begin(code: u32, end: u32): void {
  isInside = false;
  atomic.store<i32>(base + Head.Arrived, 0);
  atomic.store<i32>(base + Head.Done, 0);
  atomic.store<i32>(base + Head.Status, Status.Ok);
  store<u32>(base + Head.Code, code);
  store<u32>(base + Head.End, end);
  step(Head.Start);
}

/** Thread 0, its walk at an end: true when the others have reported theirs, or one of them is lost; false: call again. */
export function isDone(): bool {
  let done = get(Head.Done);
  while (done != threads - 1 && failure() != Status.WorkerLost) {
    if (!changes(Head.Done, done)) return false;
    done = get(Head.Done);
  }
  return true;
}

/** The others: wait for the phase after the `seen`th; returns its number. */
export function order(seen: i32): i32 {
  while (get(Head.Start) == seen) sleep(Head.Start, seen);
  isInside = false;
  return get(Head.Start);
}

/** The others: their walk is at an end. */
export function report(): void {
  step(Head.Done);
}
