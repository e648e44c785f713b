/** `s2a watch`: a folder of pictures that is learnt from as it grows, through a gate. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { makeFolder, writeText } from '../../src/base/files.ts';
import { holdFolder, isHeld } from '../../src/base/lock.ts';
import { visible } from '../../src/base/visible.ts';
import { openBook } from '../../src/live/book.ts';
import { lookMs as msOf, watchOptions as optionsOf } from '../../src/live/joboptions.ts';
import { rest, watchUntil } from '../../src/live/loop.ts';
import { CLOCK, createSchedule } from '../../src/live/schedule.ts';
import { adapterPath, currentOf, isWatchFolder, LOG, partsOf, readState } from '../../src/live/state.ts';
import { BACK, openWatch, type WatchEvent, type WatchOptions } from '../../src/live/watch.ts';
import { type Flags, type Parsed, parse, real, whole } from './options.ts';
import type { Output } from './output.ts';
import { untilStopped } from './signals.ts';
import { jobOf, TRAIN_FLAGS } from './train.ts';

/** A run of a watch is as `train` has it, but for what the watch settles itself. */
const { resume, overwrite, task, threshold, loss, normalize, report, log, fidelity, cache, calibrate, ...RUN_FLAGS } = TRAIN_FLAGS;
export const WATCH_FLAGS: Flags = {
  ...RUN_FLAGS,
  at: 'text',
  every: 'text',
  after: 'text',
  'keep-last': 'text',
  tolerance: 'text',
  look: 'text',
};

/** What the flags say of a watch over `data`. */
export function watchOptions(p: Parsed, model: string, data: string): WatchOptions {
  const out = p.text('out');
  if (out === undefined)
    throw new InputError({ where: '--out', what: 'is missing', expected: "a folder for the watch's adapters and its log" });
  const { resume: _resume, overwrite: _overwrite, ...job } = jobOf({ ...p, positionals: [model, data] });
  const own = {
    ...{ after: whole(p, 'after'), every: p.text('every'), at: p.text('at') },
    ...{ keepLast: whole(p, 'keep-last', 1, 1000), tolerance: real(p, 'tolerance', 0, 1) },
  };
  return optionsOf({ ...job, ...defined(own) }, '--');
}

/** Milliseconds between two looks. */
export const lookMs = (p: Parsed): number => msOf(p.text('look'), '--');

/** An event as a line. */
export const eventLine = ({ event, round, why }: WatchEvent): string =>
  visible(event === 'note' ? why : `${round === undefined ? '' : `round ${round} `}${event}: ${why}`);

export async function watch(args: string[], out: Output): Promise<void> {
  const p = parse(
    args,
    { ...WATCH_FLAGS, rollback: 'flag', status: 'flag' },
    { least: 0, most: 2, usage: 's2a watch <model folder> <pictures> --out <folder>' },
  );
  if (p.flag('rollback')) return rollback(folderOf(p), out);
  if (p.flag('status')) return status(folderOf(p), p.flag('json'), out);
  const [model, data] = p.positionals;
  if (model === undefined || data === undefined)
    throw new InputError({
      where: 'arguments',
      what: 'wrong number of them',
      got: p.positionals.length,
      expected: 's2a watch <model folder> <pictures> --out <folder>',
    });
  const options = watchOptions(p, model, data);
  const tell = (event: WatchEvent): void => (p.flag('json') ? out.json(event) : out.line(eventLine(event)));
  const watched = openWatch({ ...options, onEvent: tell });
  try {
    if (!p.flag('json')) out.line(visible(`watching ${data}; the adapter in use: ${watched.current() ?? 'none yet'}`));
    let problem: string | null = null;
    await untilStopped((signal) =>
      watchUntil(watched, {
        everyMs: lookMs(p),
        signal,
        after() {
          const now = watched.status().problem;
          if (now !== null && now !== problem) out.warn(now);
          problem = now;
        },
      }),
    );
  } finally {
    watched.close();
  }
}

function folderOf(p: Parsed): string {
  const folder = p.text('out') ?? p.positionals[0];
  if (folder === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'the folder of the watch' });
  if (!isWatchFolder(folder)) throw new InputError({ where: folder, what: 'is no folder of a watch', expected: 'the --out of s2a watch' });
  return folder;
}

/** How long the program that watches may take to hear of it. */
const HEARD_MS = 60e3;

/** By itself where nobody watches; else by asking who does. */
async function rollback(folder: string, out: Output): Promise<void> {
  if (!tryBack(folder, out)) return;
  const before = readState(folder);
  const unwanted = currentOf(before);
  const request = join(folder, BACK);
  makeFolder(folder);
  writeText(request, unwanted ? String(unwanted.number) : '');
  const never = new AbortController().signal;
  for (const end = Date.now() + HEARD_MS; existsSync(request); ) {
    if (Date.now() > end) {
      rmSync(request, { force: true });
      throw new InputError({ where: folder, what: 'another program watches it and does not answer' });
    }
    await rest(100, never);
  }
  const now = readState(folder);
  if (currentOf(now)?.number === unwanted?.number)
    throw new InputError({ where: folder, what: 'keeps no adapter before the one in use', hint: '--keep-last says how many are kept' });
  out.line(visible(`in use again: ${adapterPath(folder, currentOf(now)!)}`));
}

/** False where it is done; true where another program has the folder. */
function tryBack(folder: string, out: Output): boolean {
  let lock: ReturnType<typeof holdFolder>;
  try {
    lock = holdFolder(folder);
  } catch (error) {
    if (isHeld(error)) return true;
    throw error;
  }
  try {
    const book = openBook({ folder, keep: 1000, schedule: (waited) => createSchedule({ at: [] }, CLOCK, waited ?? undefined) });
    if (book.state.round) book.giveUp();
    book.back();
    out.line(visible(`in use again: ${adapterPath(folder, currentOf(book.state)!)}`));
    return false;
  } finally {
    lock.release();
  }
}

function status(folder: string, isJson: boolean, out: Output): void {
  const state = readState(folder);
  const { kept, round } = state;
  const current = currentOf(state);
  const counts = partsOf(state);
  if (isJson) {
    out.json({
      adapter: current ? adapterPath(folder, current) : null,
      kept,
      pictures: counts,
      round: round && { number: round.number, cause: round.cause },
    });
    return;
  }
  out.line(visible(current ? `adapter   ${adapterPath(folder, current)}, since ${current.at}: ${current.why}` : 'adapter   none yet'));
  out.line(`pictures  ${counts.learn} learnt from, ${counts.held} held out, ${counts.aside} set aside`);
  if (round) out.line(visible(`round ${round.number} goes on: ${round.cause}`));
  out.line(visible(`log       ${join(folder, LOG)}`));
}
