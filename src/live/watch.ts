/** A folder of pictures that is watched: rounds when they are due, one after the other, each through the gate. */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../base/counted.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { defined } from '../base/defined.ts';
import { BudgetError, EngineError, InputError, Interrupted } from '../base/error.ts';
import { makeFolder } from '../base/files.ts';
import { holdFolder } from '../base/lock.ts';
import { guardOutput } from '../base/output.ts';
import { readLimitedText } from '../base/reading.ts';
import { scanFolder } from '../data/scan.ts';
import { readAdapter } from '../formats/adapterfile.ts';
import { readMemory } from '../formats/memoryfile.ts';
import { openBook } from './book.ts';
import { writeTable } from './judge.ts';
import { createNewcomers, type Found, foundIn, take } from './ledger.ts';
import { type RoundOrder, runRound as runHere } from './round.ts';
import { CLOCK, createSchedule } from './schedule.ts';
import { checkModel, copyAdapter } from './start.ts';
import { adapterPath, currentOf, type Decision, NEXT, partsOf, type Seen, type State } from './state.ts';
import type { Watch, WatchOptions, WatchStatus } from './watchtypes.ts';

export type * from './watchtypes.ts';

/** A file of this name in the watch's folder asks for the adapter before the one in use. */
export const BACK = 'rollback';
/** What an adapter of a watch remembers where nothing else is said. */
export const MEMORY_BYTES = 512 << 10;
const RETRY_MS = 60e3;
const ASKED_MS = 1000;

/** Takes the folder for this process and says how it stands. Throws InputError where another one has it, or it is damaged. */
export function openWatch(options: WatchOptions): Watch {
  const { job, out, keep, triggers, clock = CLOCK } = options;
  guardOutput(out, { data: job.data, model: job.model, ...defined({ adapter: job.from }) });
  const lock = holdFolder(out);
  try {
    if (job.from !== undefined) copyAdapter(out, job.from);
    checkModel(out, job);
    const book = openBook({
      folder: out,
      keep,
      schedule: (waited) => createSchedule(triggers, clock, waited ?? undefined),
      onEvent: options.onEvent,
    });
    return watchOf(options, book, lock.release);
  } catch (error) {
    lock.release();
    throw error;
  }
}

type Opened = ReturnType<typeof openBook>;

function watchOf(options: WatchOptions, book: Opened, close: () => void): Watch {
  const { out, clock = CLOCK } = options;
  const newcomers = createNewcomers();
  const now = newNow();
  const back = (): void => goBack(options, book, now);
  const isBackWanted = (): boolean => now.isBackAsked || existsSync(join(out, BACK));
  const look = async (signal?: AbortSignal): Promise<void> => {
    if (isBackWanted()) {
      if (book.state.round) book.giveUp();
      back();
    }
    if (clock.steady() < now.retryAt) return;
    const found = listPictures(options, book.state);
    if (book.state.round === null) {
      const { fresh, again } = newcomers(found, book.state);
      now.fresh = fresh.length;
      const cause = now.asked && fresh.length > 0 ? now.asked : book.schedule.due(fresh.length);
      const all = [...fresh, ...again];
      if (cause !== undefined && hasEnough(all, book.state, now)) await begin(options, book, now, { cause, fresh: all });
      else if (book.schedule.isStale()) book.keepWait();
    }
    if (book.state.round) await carryOut(options, book, now, { found, isBackWanted, ...defined({ signal }) });
    if (isBackWanted()) back();
  };
  return {
    current: () => {
      const kept = currentOf(book.state);
      return kept && adapterPath(out, kept);
    },
    status: () => statusOf(book, now),
    async look(signal) {
      try {
        await look(signal);
        if (clock.steady() >= now.retryAt) now.problem = now.waiting ?? null;
      } catch (error) {
        if (!(error instanceof Interrupted)) now.problem = (error as Error).message;
        if (!(error instanceof InputError) || isHopeless(error)) throw error;
      }
    },
    ask() {
      now.asked = 'as asked';
    },
    askBack() {
      now.isBackAsked = true;
    },
    close,
  };
}

/** How it stands beside what is on disk. */
interface Now {
  fresh: number;
  problem: string | null;
  /** Why nothing is learnt yet. */
  waiting?: string;
  asked: string | undefined;
  isBackAsked: boolean;
  /** By the steady clock. */
  retryAt: number;
  /** Rounds in a row that ended in an error. */
  failures: number;
  progress: { step: number; steps: number };
  rounds: { accepted: number; refused: number };
}

const newNow = (): Now => ({
  fresh: 0,
  problem: null,
  asked: undefined,
  isBackAsked: false,
  retryAt: 0,
  failures: 0,
  progress: { step: 0, steps: 0 },
  rounds: { accepted: 0, refused: 0 },
});

/** The adapter before, where there is one; said where there is none. A request names the adapter that it wants away: one that a kill left is not met twice. */
function goBack({ out }: WatchOptions, book: Opened, now: Now): void {
  const request = join(out, BACK);
  const named = existsSync(request) ? readLimitedText(request, 64, 'a request') : '';
  const isOld = !now.isBackAsked && named !== '' && named !== String(currentOf(book.state)?.number);
  now.isBackAsked = false;
  try {
    if (!isOld) book.back();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    book.log({ event: 'note', why: error.message });
  }
  // Last: who asked waits for this.
  rmSync(request, { force: true });
}

function statusOf({ state, last }: Opened, { fresh, problem, progress, rounds }: Now): WatchStatus {
  const { round } = state;
  return {
    adapter: currentOf(state)?.number ?? null,
    kept: state.kept,
    fresh,
    pictures: partsOf(state),
    round: round && { number: round.number, cause: round.cause, ...progress },
    problem,
    rounds: { ...rounds },
    last: last(),
  };
}

/** The folder's pictures. Throws InputError where it is gone or holds something else. */
function listPictures({ job }: WatchOptions, { kept }: State): Found[] {
  const folder = scanFolder(job.data, { ...defined({ labels: job.labels }), isMore: kept.length > 0 });
  if (folder.task !== undefined || folder.arrays !== undefined)
    throw new InputError({ where: job.data, what: 'a watch learns classes of pictures', got: folder.task ?? 'arrays' }, 'S2A_OPTION');
  return foundIn(folder);
}

/** Two classes are needed to begin with. */
function hasEnough(all: readonly Found[], { kept }: State, now: Now): boolean {
  const classes = new Set(all.map(({ label }) => label));
  delete now.waiting;
  if (kept.length > 0 || classes.size > 1) return true;
  now.waiting = `nothing is learnt yet: there are pictures of ${[...classes][0]} alone, and two classes are needed`;
  return false;
}

async function begin(
  { job, holdOut }: WatchOptions,
  book: Opened,
  now: Now,
  { cause, fresh }: { cause: string; fresh: readonly Found[] },
): Promise<void> {
  // Due until it is on disk that it has begun.
  now.asked = cause;
  const { pictures, copies, refused } = await take(job.data, fresh, book.state, holdOut);
  book.begin({ cause, pictures }, copies);
  now.asked = undefined;
  for (const why of refused) book.log({ event: 'note', why });
  now.fresh = 0;
  const { round } = book.state;
  if (round === null) return;
  now.progress = { step: 0, steps: 0 };
  const classes = new Set(Object.values(pictures).map(({ label }) => label)).size;
  book.log({
    event: 'began',
    round: round.number,
    why: `${cause}: ${counted(Object.keys(pictures).length, 'new picture')} of ${counted(classes, 'class')}`,
  });
}

interface Going {
  found: readonly Found[];
  isBackWanted(): boolean;
  signal?: AbortSignal;
}

/** The round to its end, or as far as it goes. */
async function carryOut(options: WatchOptions, book: Opened, now: Now, { found, isBackWanted, signal }: Going): Promise<void> {
  const { out, retryMs = RETRY_MS, clock = CLOCK, runRound = runHere } = options;
  const round = book.state.round!;
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  const asked = setInterval(() => isBackWanted() && abort(), ASKED_MS);
  try {
    const decision =
      round.decision ??
      (await runRound(orderOf(options, book.state, found), {
        onProgress: (progress) => {
          now.progress = progress;
        },
        signal: stop.signal,
      }));
    book.end(decision);
    now.failures = 0;
    now.rounds[decision.isAccepted ? 'accepted' : 'refused']++;
  } catch (error) {
    if (error instanceof Interrupted) {
      if (signal?.aborted) throw error;
      book.giveUp();
    } else if (error instanceof InputError && error.code === 'S2A_DISK') {
      now.retryAt = clock.steady() + retryMs;
      now.problem = `${error.message}; it is tried again`;
      book.log({ event: 'waits', round: round.number, why: now.problem });
    } else settleFailure(error, book, now, join(out, NEXT));
  } finally {
    clearInterval(asked);
    signal?.removeEventListener('abort', abort);
  }
}

/** What cannot get better by trying again. */
const isHopeless = (error: unknown): boolean =>
  error instanceof BudgetError ||
  (error instanceof InputError && error.code === 'S2A_OPTION') ||
  !(error instanceof InputError || error instanceof EngineError);

/** A round that met an error: begun again once, since pictures may have changed under it; then its pictures are set aside. */
function settleFailure(error: unknown, book: Opened, now: Now, next: string): void {
  if (isHopeless(error)) {
    book.giveUp();
    throw error;
  }
  const { message } = error as Error;
  if (++now.failures > 1) {
    const decision: Decision = { isAccepted: false, why: message };
    book.end(decision);
    now.rounds.refused++;
    now.failures = 0;
    return;
  }
  book.log({ event: 'note', round: book.state.round!.number, why: `${message}; the round is begun again` });
  book.giveUp();
  rmSync(next, { recursive: true, force: true });
  now.asked = 'again';
}

/** The run of a round: its new pictures, and those of classes that the adapter in use does not remember. */
function orderOf({ job, out, tolerance }: WatchOptions, state: State, found: readonly Found[]): RoundOrder {
  const round = state.round!;
  const next = join(out, NEXT);
  makeFolder(next);
  dropLocks(join(next, 'run'));
  const kept = currentOf(state);
  const from = kept && adapterPath(out, kept);
  const { labels, remembered } = from === undefined ? NOTHING : knownBy(from);
  const here = new Set(found.map(({ path }) => path));
  const earlier = Object.entries(state.pictures).filter(([path, seen]) => here.has(path) && seen.part !== 'aside');
  const rows = (entries: [string, Omit<Seen, 'round'>][], part: Seen['part']): { path: string; label: string }[] =>
    entries.filter(([, seen]) => seen.part === part).map(([path, { label }]) => ({ path, label }));
  const own = Object.entries(round.pictures).filter(([path]) => here.has(path));
  const again = rows(earlier, 'learn').filter(({ label }) => !remembered.has(label));
  const learn = [...rows(own, 'learn'), ...again];
  const taught = new Set(learn.map(({ label }) => label));
  const fresh = rows(own, 'held').filter(({ label }) => taught.has(label));
  const table = join(next, 'labels.csv');
  writeTable(table, [
    ...learn.map((one) => ({ ...one, split: 'train' as const })),
    ...fresh.map((one) => ({ ...one, split: 'val' as const })),
  ]);
  const { from: _first, method, ...rest } = job;
  const start = from === undefined ? defined({ method }) : { from };
  return {
    job: {
      ...rest,
      ...start,
      memory: job.memory ?? MEMORY_BYTES,
      labels: table,
      out: next,
      resume: true,
      holdOut: 0,
      seed: job.seed ?? DEFAULTS.seed,
    },
    held: rows(earlier, 'held'),
    fresh,
    gate: { hasNewClasses: [...taught].some((label) => !labels.includes(label)), ...defined({ tolerance, debt: kept?.debt }) },
  };
}

/** A thread that died holding them cannot let go of them; that nobody else is here, the lock of the folder above says. */
function dropLocks(run: string): void {
  if (!existsSync(run)) return;
  for (const name of readdirSync(run)) if (/^lock-\d+$/.test(name)) rmSync(join(run, name), { force: true });
}

/** The classes of an adapter, and those of which it remembers pictures to learn from. */
interface Known {
  labels: readonly string[];
  remembered: ReadonlySet<string>;
}
const NOTHING: Known = { labels: [], remembered: new Set() };

function knownBy(path: string): Known {
  const adapter = readAdapter(path);
  const { labels } = adapter;
  try {
    const learnt = readMemory(adapter)?.entries.filter(({ isJudge }) => !isJudge) ?? [];
    return { labels, remembered: new Set(learnt.map(({ label }) => labels[label]!)) };
  } finally {
    adapter.weights.close();
  }
}
