/** Walking ranges of a program: one thread's walk beside those of others, and what a status that is not Ok means as an error. */
import { Head } from '../../assembly/abi/head.ts';
import { Stored } from '../../assembly/abi/ops/stored.ts';
import { isRequest, Status, statusText } from '../../assembly/abi/status.ts';
import { EngineError } from '../base/error.ts';
import { createPace, turn } from '../base/pace.ts';
import type { Program } from '../program/program.ts';
import { WeightsLost } from './storedfile.ts';
import type { Team } from './threads.ts';

/** Arena offsets of a first instruction and of what follows the last one. */
export interface Stretch {
  start: number;
  end: number;
}

/** The engine's two functions that walk; both return a status. */
interface Walking {
  walk(code: number, end: number): number;
  resume(): number;
}

/** Who does what instructions ask for (assembly/abi/ops/stored.ts). `at`: bytes from the start of the file of stored weights. */
export interface Requests {
  /** The file, for a sentence about it. */
  path: string;
  /** Puts weight number `weight` at an arena offset. */
  place(weight: number, offset: number): void;
  store(at: number, bytes: Uint8Array): void;
  fetch(at: number, target: Uint8Array): void;
  arrive(at: number, target: Uint8Array, mayWait: boolean): Promise<void> | undefined;
  settle(): Promise<void>;
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

/** What both ways to walk are made of. Whatever breaks off this thread's walk (a trap, a file that cannot be read) sets the others free. */
function createWalker(engine: Walking, memory: WebAssembly.Memory, program: Program, team: Team) {
  let requests: Requests | undefined;
  const lost = (): EngineError =>
    new EngineError({
      where: 'threads',
      what: team.lost() ?? 'one of them ended',
      hint: 'run it again, with --threads 1 if that does not help',
    });
  const broken = (error: unknown): never => {
    team.fail('the first of them broke off');
    throw error;
  };
  const go = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      return broken(error);
    }
  };
  return {
    enter({ start, end }: Stretch): number {
      if (team.lost() !== undefined) throw lost();
      return go(() => engine.walk(start, end));
    },
    resume: (): number => go(engine.resume),
    /** Does what is asked for; a promise where there is something to wait for. */
    answer: (status: number, mayWait: boolean): Promise<void> | undefined =>
      go(() => carryOut(status, memory, requests, mayWait))?.catch(broken),
    leave(status: number): void {
      if (status === Status.WorkerLost) throw lost();
      if (status === Status.StoredChanged && requests) throw new WeightsLost({ where: requests.path, what: statusText(status) });
      if (status !== Status.Ok) throw failure(status, memory, program);
    },
    serve(those: Requests): void {
      requests = those;
    },
    settle: async (): Promise<void> => requests?.settle(),
  };
}

/** Both ways to walk a stretch: at once, or giving the host its turns. Throw EngineError, and WeightsLost for what a file does not give back. */
export function walks(engine: Walking, memory: WebAssembly.Memory, program: Program, team: Team) {
  const { enter, resume, answer, leave, serve, settle } = createWalker(engine, memory, program, team);
  const atOnce = (stretch: Stretch): void => {
    let status = enter(stretch);
    let [progress, since] = [team.progress(), performance.now()];
    while (status === Status.Waiting || isRequest(status)) {
      const now = team.progress();
      if (isRequest(status)) answer(status, false);
      else if (now !== progress) [progress, since] = [now, performance.now()];
      else if (performance.now() - since > STALL_MS) team.fail(`no thread got on for ${STALL_MS / 1000} s`);
      status = resume();
    }
    leave(status);
  };
  const inPieces = createPace(memory, async (piece) => {
    let status = enter(piece);
    while (status === Status.Waiting || isRequest(status)) {
      if (isRequest(status)) await answer(status, true);
      else await turn();
      status = resume();
    }
    // The memory says that a thread has died before the event says how.
    if (status === Status.WorkerLost) await turn();
    leave(status);
  });
  const paced = async (stretch: Stretch): Promise<void> => {
    try {
      await inPieces(stretch);
    } finally {
      // No read may go on into memory that is about to be another's.
      await settle();
    }
  };
  return { atOnce, paced, serve };
}

/** Does what an instruction asks for in the head of the memory. */
function carryOut(status: number, memory: WebAssembly.Memory, requests: Requests | undefined, mayWait: boolean): Promise<void> | undefined {
  if (requests === undefined) throw new EngineError({ where: 'program', what: 'keeps its weights in a file, and was given none' });
  const head = new DataView(memory.buffer);
  const offset = head.getUint32(Head.AskedOffset, true);
  const place = head.getUint32(Head.AskedPlace, true);
  const bytes = new Uint8Array(memory.buffer, offset, head.getUint32(Head.AskedBytes, true));
  if (status === Status.Place) requests.place(place, offset);
  else if (status === Status.Store) requests.store(place * Stored.Unit, bytes);
  else if (status === Status.Await) return requests.arrive(place * Stored.Unit, bytes, mayWait);
  else if (mayWait) requests.fetch(place * Stored.Unit, bytes);
  return undefined;
}
