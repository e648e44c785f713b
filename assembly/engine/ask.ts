/**
 * Asking the host. The engine imports nothing, so a kernel that needs something done outside leaves the question in the head and its kind as the
 * status. The walk stops at its instruction and returns the status; when the host comes back with `resume`, the instruction runs once more and
 * finds its question answered. The first thread alone asks; the others meet it at the next barrier.
 */
import { Head } from '../abi/head';
import { fail } from './status';
import { base } from './team';

/** A question is out: what ended the last instruction was no failure. */
export let isAsking: bool = false;

/** A new walk has no question. */
export function forget(): void {
  isAsking = false;
}

/** True when the host has done it; false: the kernel returns, and is called again then. The question holds `at` as the arena counts it. */
export function ask(kind: i32, at: usize, bytes: i32, place: i32): bool {
  if (isAsking) {
    isAsking = false;
    return true;
  }
  store<u32>(base + Head.AskedOffset, <u32>(at - base));
  store<i32>(base + Head.AskedBytes, bytes);
  store<i32>(base + Head.AskedPlace, place);
  isAsking = true;
  fail(kind);
  return false;
}
