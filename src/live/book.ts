/** The state of a watch and every change of it, each one a file written whole: whatever is cut off in between is finished by the next start. */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { appendText, guarded, makeFolder } from '../base/files.ts';
import type { Schedule } from './schedule.ts';
import {
  adapterPath,
  currentOf,
  type Decision,
  LOG,
  MOST_TRIES,
  NEXT,
  type Round,
  readState,
  type Seen,
  type State,
  writeState,
} from './state.ts';
import type { WatchEvent } from './watchtypes.ts';

export interface Book {
  readonly state: State;
  /** Writes a line of the log, and tells it. */
  log(event: Omit<WatchEvent, 'at'>): void;
  last(): WatchEvent | null;
  /** Keeps the schedule's wait. */
  keepWait(): void;
  /** A round begins with these pictures; `copies` are known from now on. */
  begin(round: Omit<Round, 'number'>, copies: Record<string, Seen>): void;
  /** A round has been judged: its adapter is taken or thrown away, and its pictures are known from now on. */
  end(decision: Decision): void;
  /** The round is forgotten, its pictures are new again. */
  giveUp(): void;
  /** The adapter before the one in use is in use again. Throws InputError where there is none. */
  back(): void;
}

interface Options {
  folder: string;
  keep: number;
  schedule(waited: State['waited']): Schedule;
  onEvent?: ((event: WatchEvent) => void) | undefined;
}

export function openBook({ folder, keep, schedule: scheduleOf, onEvent }: Options): Book & { schedule: Schedule } {
  let state = readState(folder);
  const schedule = scheduleOf(state.waited ?? null);
  const { log, last } = openLog(folder, onEvent);
  /** On disk first: what is not there has not happened. */
  const write = (next: State): void => {
    writeState(folder, next);
    state = next;
  };
  const waited = (): Pick<State, 'waited'> => ({ waited: schedule.waited() });
  prune(folder, state);
  return {
    schedule,
    get state() {
      return state;
    },
    log,
    last,
    keepWait: () => write({ ...state, ...waited() }),
    begin(round, copies) {
      const number = state.next;
      const pictures = { ...state.pictures, ...copies };
      if (Object.keys(round.pictures).length === 0) {
        write({ ...state, pictures });
        return;
      }
      rmSync(join(folder, NEXT), { recursive: true, force: true });
      schedule.began();
      write({ ...state, next: number + 1, pictures, round: { number, ...round }, ...waited() });
    },
    end(decision) {
      const round = state.round!;
      if (round.decision === undefined) write({ ...state, round: { ...round, decision } });
      takeOver(folder, round.number, decision);
      write({ ...ended(state, round, decision, keep), ...waited() });
      prune(folder, state);
      const counts = decision.counts ? { counts: decision.counts } : {};
      log({ event: decision.isAccepted ? 'accepted' : 'refused', round: round.number, why: decision.why, ...counts });
    },
    giveUp() {
      rmSync(join(folder, NEXT), { recursive: true, force: true });
      write({ ...state, round: null });
    },
    back() {
      const now = currentOf(state);
      if (state.kept.length < 2)
        throw new InputError({ where: folder, what: now ? NONE_BEFORE : 'has no adapter yet', hint: '--keep-last says how many are kept' });
      write(withoutLast(state));
      prune(folder, state);
      log({
        event: 'rolled back',
        round: now!.number,
        why: `adapter ${currentOf(state)!.number} is in use again instead of ${now!.number}, whose pictures are set aside`,
      });
    },
  };
}

/** Lines of the log, told and appended. */
function openLog(folder: string, onEvent: Options['onEvent']): Pick<Book, 'log' | 'last'> {
  let last: WatchEvent | null = null;
  return {
    last: () => last,
    log(event) {
      last = { at: new Date().toISOString(), ...event };
      onEvent?.(last);
      try {
        appendText(join(folder, LOG), `${JSON.stringify(last)}\n`);
      } catch (error) {
        // A line of the log is no reason to stop; what it tells stands in the state too.
        if (!(error instanceof InputError)) throw error;
      }
    },
  };
}

/** The new adapter gets its place, without what its run has left; done already, nothing is left to do. */
function takeOver(folder: string, number: number, { isAccepted }: Decision): void {
  const [from, to] = [join(folder, NEXT), adapterPath(folder, { number })];
  if (isAccepted && !existsSync(to)) {
    for (const name of ['run', 'judge', 'labels.csv']) rmSync(join(from, name), { recursive: true, force: true });
    makeFolder(join(folder, 'adapters'));
    guarded(to, 'cannot be made', () => renameSync(from, to));
  }
  rmSync(from, { recursive: true, force: true });
}

/** Removes adapters that are not kept; one whose round is not yet written down stays. */
function prune(folder: string, { kept, round }: State): void {
  const above = join(folder, 'adapters');
  if (!existsSync(above)) return;
  const stay = new Set([...kept, ...(round ? [round] : [])].map(({ number }) => String(number)));
  for (const name of readdirSync(above))
    if (/^\d+$/.test(name) && !stay.has(name)) rmSync(join(above, name), { recursive: true, force: true });
}

const NONE_BEFORE = 'keeps no adapter before the one in use';

/** The state after a round. */
function ended(state: State, { number, pictures }: Round, { isAccepted, why, debt }: Decision, keep: number): State {
  const known = Object.entries(pictures).map(([path, seen]): [string, Seen] => [
    path,
    isAccepted ? { ...seen, round: number } : { ...seen, part: 'aside', round: number, tries: (state.pictures[path]?.tries ?? 0) + 1 },
  ]);
  const kept = isAccepted
    ? [...state.kept, { number, at: new Date().toISOString(), why, ...(debt ? { debt } : {}) }].slice(-keep)
    : state.kept;
  return { ...state, kept, pictures: { ...state.pictures, ...Object.fromEntries(known) }, round: null };
}

/** The state without the adapter in use, whose round's pictures are set aside. */
function withoutLast(state: State): State {
  const { number } = currentOf(state)!;
  const aside = Object.entries(state.pictures).map(([path, seen]): [string, Seen] => [
    path,
    seen.round === number ? { ...seen, part: 'aside', tries: MOST_TRIES } : seen,
  ]);
  return { ...state, kept: state.kept.slice(0, -1), pictures: Object.fromEntries(aside) };
}
