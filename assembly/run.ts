import { Head } from './abi/head';
import { Instruction } from './abi/ops';
import { Status } from './abi/status';
import { dispatch } from './dispatch';
import { clearStatus, fail, status } from './status';
import { base } from './team';

/**
 * Runs the instructions in [code, end) (arena offsets), stops at the first that fails.
 * Returns a Status; the failing node's id is left in Head.FailedNode.
 */
export function walk(code: u32, end: u32): i32 {
  clearStatus();
  let p = base + code;
  const stop = base + end;
  while (p < stop) {
    const words = load<i32>(p, Instruction.Words << 2);
    const next = p + (<usize>words << 2);
    if (words < Instruction.Arguments || next > stop || next < p) fail(Status.Truncated);
    else dispatch(load<i32>(p, Instruction.Op << 2), p + (Instruction.Arguments << 2));
    if (status != 0) {
      store<i32>(base + Head.FailedNode, load<i32>(p, Instruction.Node << 2));
      return status;
    }
    p = next;
  }
  return status;
}
