/** Walking ranges of a program: one thread's walk beside those of others, and what a status that is not Ok means as an error. */
import { Head } from '../../assembly/abi/head.ts';
import { Status, statusText } from '../../assembly/abi/status.ts';
import { EngineError } from '../base/error.ts';
import { createPace, turn } from '../base/pace.ts';
import type { Program } from '../program/program.ts';
import type { Team } from './threads.ts';

/** Arena offsets of a first instruction and of what follows the last one. */
export interface Stretch {
  start: number;
  end: number;
}

/** The engine's two functions that walk; both return a status. Only the engine of several threads has `resume`. */
interface Walking {
  walk(code: number, end: number): number;
  resume?(): number;
}

const HINTS: Readonly<Record<number, string>> = {
  [Status.LossNotFinite]: 'try a smaller --lr',
  [Status.GradientNotFinite]: 'try a smaller --lr',
  [Status.OutputNotFinite]: 'are these the weights that belong to the configuration?',
};

/** How long `walk` waits for a sign of life from threads of which no event can reach it. */
const STALL_MS = 60000;

/** The error of a status, with the name of the node at which it happened. */
function failure(status: number, memory: WebAssembly.Memory, { symbols }: Program): EngineError {
  const node = symbols[new DataView(memory.buffer).getInt32(Head.FailedNode, true)] ?? 'unknown node';
  const hint = HINTS[status];
  const isNotFinite = status === Status.LossNotFinite || status === Status.GradientNotFinite;
  return new EngineError({ where: node, what: statusText(status), ...(hint ? { hint } : {}) }, isNotFinite);
}

/** Both ways to walk a stretch: at once, or giving the host its turns. Throw EngineError. */
export function walks(engine: Walking, memory: WebAssembly.Memory, program: Program, team: Team) {
  const lost = (): EngineError =>
    new EngineError({
      where: 'threads',
      what: team.lost() ?? 'one of them ended',
      hint: 'run it again, with --threads 1 if that does not help',
    });
  /** Walks; what breaks off this thread's walk (a trap) sets the others free. */
  const go = (walk: () => number): number => {
    try {
      return walk();
    } catch (error) {
      team.fail('the first of them broke off');
      throw error;
    }
  };
  const enter = ({ start, end }: Stretch): number => {
    if (team.lost() !== undefined) throw lost();
    return go(() => engine.walk(start, end));
  };
  const leave = (status: number): void => {
    if (status === Status.WorkerLost) throw lost();
    if (status !== Status.Ok) throw failure(status, memory, program);
  };
  const atOnce = (stretch: Stretch): void => {
    let status = enter(stretch);
    let [progress, since] = [team.progress(), performance.now()];
    while (status === Status.Waiting) {
      const now = team.progress();
      if (now !== progress) [progress, since] = [now, performance.now()];
      else if (performance.now() - since > STALL_MS) team.fail(`no thread got on for ${STALL_MS / 1000} s`);
      status = go(() => engine.resume!());
    }
    leave(status);
  };
  const paced = createPace(memory, async (piece) => {
    let status = enter(piece);
    while (status === Status.Waiting) {
      await turn();
      status = go(() => engine.resume!());
    }
    // The memory says that a thread has died before the event says how.
    if (status === Status.WorkerLost) await turn();
    leave(status);
  });
  return { atOnce, paced };
}
