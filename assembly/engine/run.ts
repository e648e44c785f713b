import { Head } from '../abi/head';
import { Instruction } from '../abi/ops';
import { Status } from '../abi/status';
import { forget, isAsking } from './ask';
import { announce, begin, failure, isDone, meet, order, report } from './barrier';
import { dispatch } from '../generated/dispatch';
import { clearStatus, fail, status } from './status';
import { base, threads } from './team';

/** The next instruction, and the end of the phase. */
let at: usize = 0;
let stop: usize = 0;

/**
 * Runs the instructions in [code, end) (arena offsets), stops at the first that fails.
 * Returns a Status; the failing node's id is left in Head.FailedNode. Of several threads the first one calls this: it sends the others the
 * same way and returns when all are through, or Status.Waiting where they are long in coming, or what an instruction asks for: then `resume` goes on.
 */
export function walk(code: u32, end: u32): i32 {
  if (ASC_FEATURE_THREADS) if (threads > 1) begin(code, end);
  enter(code, end);
  return resume();
}

/** Goes on with the walk that returned Status.Waiting, or asked for something that has been done (ask.ts). */
export function resume(): i32 {
  if (isAsking) clearStatus();
  const interruption = proceed();
  if (interruption != 0) return interruption;
  if (ASC_FEATURE_THREADS)
    if (threads > 1) {
      if (!isDone()) return Status.Waiting;
      return failure();
    }
  return status;
}

/** The other threads: waits for the phase after the `seen`th and walks it. Returns its number, 0 when there is nothing more to do. */
export function attend(seen: i32): i32 {
  const phase = order(seen);
  if (load<i32>(base + Head.Stop) != 0) return 0;
  enter(load<u32>(base + Head.Code), load<u32>(base + Head.End));
  proceed();
  report();
  return phase;
}

function enter(code: u32, end: u32): void {
  clearStatus();
  forget();
  at = base + code;
  stop = base + end;
}

/** Walks on. 0: to the end; else, of the first thread alone, Status.Waiting where others are missing at a barrier, or what is asked for. */
function proceed(): i32 {
  while (at < stop) {
    const words = load<i32>(at, Instruction.Words << 2);
    const next = at + ((<usize>words) << 2);
    if (words < Instruction.Arguments || next > stop || next < at) fail(Status.Truncated);
    else {
      if (ASC_FEATURE_THREADS)
        if (threads > 1 && !isAsking && load<i32>(at, Instruction.Barrier << 2) != 0) {
          if (!meet()) return Status.Waiting;
          if (failure() != 0) break;
        }
      dispatch(load<i32>(at, Instruction.Op << 2), at + (Instruction.Arguments << 2));
    }
    if (isAsking) return status;
    if (status != 0) {
      const node = load<i32>(at, Instruction.Node << 2);
      if (ASC_FEATURE_THREADS && threads > 1) announce(status, node);
      else store<i32>(base + Head.FailedNode, node);
      break;
    }
    at = next;
  }
  // Whatever ended it, there is nothing left to walk: `resume` may come once more for the others.
  at = stop;
  return 0;
}
