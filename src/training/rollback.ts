/**
 * Back to where the last step began, for a pass that broke off half-way: then the sums of gradients were nothing, and all else that a pass changes is
 * the state block and what the run remembers. Both are small, so they are kept at each step's start.
 */
import { State } from '../../assembly/abi/head.ts';
import type { Engine } from '../engine/engine.ts';
import { numel } from '../graph/graph.ts';
import type { History } from './history.ts';

export interface Rollback {
  /** Called before a pass of learning: remembers where the run stands, where a step begins there. */
  mark(): void;
  /** The run stands there again; false where no step has begun yet. */
  back(): boolean;
}

export function createRollback({ program, memory, region }: Engine, history: History, batchSize: number): Rollback {
  const state = region.subarray(0, State.Bytes);
  const position = new DataView(memory.buffer, program.region.offset);
  let kept: { state: Uint8Array; history: Uint8Array } | undefined;
  return {
    mark() {
      if (position.getUint32(State.Position, true) % batchSize === 0) kept = { state: state.slice(), history: history.bytes.slice() };
    },
    back() {
      if (kept === undefined) return false;
      state.set(kept.state);
      history.bytes.set(kept.history);
      for (const { gradient, dims } of program.parameters)
        if (gradient > 0) new Uint8Array(memory.buffer, gradient, 4 * numel(dims)).fill(0);
      return true;
    },
  };
}
