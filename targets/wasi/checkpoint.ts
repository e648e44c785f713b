/**
 * Checkpoints of a run folder, in the layout of assembly/abi/checkpoint.ts, the same bytes as src/training/checkpointfile.ts writes: either runtime
 * goes on where the other stopped. The newest two are kept; of a damaged one it is said so, and the one before it is taken.
 */
import { Checkpoint, CheckpointHead, EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { Section } from '../../assembly/abi/program';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { hasMagic, headFault, putSizes, regionStart, settingsStart } from '../../assembly/formats/checkpoint';
import { stage, stageBytes, state } from './arena';
import { countOf, LEARN } from './data';
import { closeFile, fileBytes, measure, need, needBytes, opened, openFile, readAt } from './files';
import { append, appendNumber, endsWith, pathIn } from './path';
import { epochCount, headerWord, runHead, section, sectionBytes } from './program';
import { begin, refuse } from './refuse';
import { steps } from './runner';
import { flush, say } from './text';
import { words } from './words';
import { create, entry, entryBytes, makeFolder, nextEntry, openListing, place, put, remove, seal, syncFolder } from './write';

const head = memory.data(128);
const padding = memory.data(16);
const context = memory.data(128);
const digest = memory.data(32);
const path = memory.data(1024);
/** SHA-256 of the program and of the data that a checkpoint must belong to. */
const programDigest = memory.data(32);
export const dataDigest = memory.data(32);

const two = memory.data(8);

/** SHA-256 by which a checkpoint knows its program, as src/training/runfolder.ts has it: the arena's size, then each core section's id, length, bytes. */
export function digestProgram(): void {
  shaBegin(context);
  store<u32>(two, headerWord(4));
  shaAdd(context, two, 4);
  for (let id: u32 = 1; id <= <u32>Section.About; id++) {
    store<u32>(two, id);
    store<u32>(two, sectionBytes(id), 4);
    shaAdd(context, two, 8);
    shaAdd(context, section(id), sectionBytes(id));
  }
  shaEnd(context, programDigest);
}

function add(p: usize, n: usize): void {
  shaAdd(context, p, n);
  put(p, n);
}

/** Writes [p, p + n) of the arena as this step's checkpoint; `withRun`: what the run remembers goes with it. */
export function writeCheckpoint(folder: usize, p: usize, n: usize, withRun: bool): void {
  const settings = sectionBytes(Section.Settings);
  makeFolder(folder);
  memory.fill(head, 0, CheckpointHead.Bytes);
  if (withRun) memory.copy(head, runHead, CheckpointHead.Bytes);
  putSizes(words, head, settings, n);
  store<u32>(head, load<u32>(state(), State.Step), CheckpointHead.Step);
  store<u32>(head, load<u32>(state(), State.Epoch), CheckpointHead.Epoch);
  store<u32>(head, load<u32>(state(), State.Position), CheckpointHead.Position);
  memory.copy(head + CheckpointHead.Program, programDigest, 32);
  memory.copy(head + CheckpointHead.Data, dataDigest, 32);
  const before = <usize>settingsStart(words, head);

  nameOf(folder, steps());
  create(path);
  shaBegin(context);
  add(head, CheckpointHead.Bytes);
  add(runHead + CheckpointHead.Bytes, before - CheckpointHead.Bytes);
  add(section(Section.Settings), settings);
  add(padding, <usize>regionStart(words, head) - before - settings);
  add(p, n);
  shaEnd(context, digest);
  put(digest, 32);
  seal();
  place(path);
  syncFolder(folder);
  clearCheckpoints(folder, steps(), stepBelow(folder, steps()));
}

/** Sets `path` to a checkpoint's. */
function nameOf(folder: usize, step: u32): void {
  pathIn(path, folder, 'checkpoint-');
  appendNumber(path, step);
  append(path, '.s2ac');
}

/** The step that an entry's name tells; -1 where it is no checkpoint's. */
function stepOf(p: usize, n: usize): i64 {
  if (n < 17 || n > 26 || !endsWith(p, 11, 'checkpoint-') || !endsWith(p, n, '.s2ac')) return -1;
  let step: i64 = 0;
  for (let i: usize = 11; i < n - 5; i++) {
    const digit = <i64>load<u8>(p + i) - 0x30;
    if (digit < 0 || digit > 9 || (digit == 0 && i == 11 && n > 17)) return -1;
    step = step * 10 + digit;
  }
  return step <= 0xffffffff ? step : -1;
}

/** The newest step of a folder below `bound`; -1 where there is none. */
function stepBelow(folder: usize, bound: i64): i64 {
  let best: i64 = -1;
  if (!openListing(folder)) return best;
  while (nextEntry()) {
    const step = stepOf(entry, entryBytes);
    if (step < bound && step > best) best = step;
  }
  return best;
}

/** Opens the newest checkpoint of a folder, of whatever run and unchecked; its step, or -1 where there is none. */
export function openNewest(folder: usize): i64 {
  const step = stepBelow(folder, 0x100000000);
  if (step < 0) return step;
  nameOf(folder, <u32>step);
  need(openFile(path), path);
  return step;
}

/** Removes every checkpoint but those of two steps. */
export function clearCheckpoints(folder: usize, keep: i64 = -1, alsoKeep: i64 = -1): void {
  let bound: i64 = 0x100000000;
  for (;;) {
    const step = stepBelow(folder, bound);
    if (step < 0) return;
    bound = step;
    if (step == keep || step == alsoKeep) continue;
    nameOf(folder, <u32>step);
    remove(path);
  }
}

/** Why the last one that was looked at cannot be used; empty where it can. */
let damage: string = '';

/**
 * Reads the newest valid checkpoint of a folder into [p, p + n); false where there is none. That all are damaged, or that the newest valid one
 * belongs to another run, ends the program. Those of an epoch after `last` are passed over: a run that went back may have left them.
 */
export function readLatest(folder: usize, p: usize, n: usize, withRun: bool, last: u32 = u32.MAX_VALUE): bool {
  let bound: i64 = 0x100000000;
  let failed = 0;
  for (;;) {
    const step = stepBelow(folder, bound);
    if (step < 0) break;
    bound = step;
    nameOf(folder, <u32>step);
    if (isWhole(n, withRun)) {
      belongs();
      if (headWord(CheckpointHead.Epoch) > last) {
        closeFile(opened);
        continue;
      }
      take(p, n, withRun);
      closeFile(opened);
      return true;
    }
    failed++;
    begin(path);
    say('damaged checkpoint: ');
    say(damage);
    say(stepBelow(folder, bound) < 0 ? '; none before it\n' : '; going on from the one before it\n');
    flush();
  }
  if (failed == 0) return false;
  refuse(folder, 'every checkpoint is damaged', 'start anew without --resume');
  return false;
}

/** Whether the file at `path` is a whole checkpoint of that size, and open; else `damage` says why. */
function isWhole(regionBytes: usize, withRun: bool): bool {
  damage = 'it cannot be read';
  if (openFile(path) != 0) return false;
  if (isGood(regionBytes, withRun)) return true;
  closeFile(opened);
  return false;
}

/** Nothing of a damaged file is believed: its digest comes first. */
function isGood(regionBytes: usize, withRun: bool): bool {
  if (measure(opened) != 0) return false;
  const size = fileBytes;
  damage = 'too short';
  if (size < <u64>(CheckpointHead.Bytes + Checkpoint.DigestBytes)) return false;
  // Of one that no run of this program can have written not all has to be read to say so.
  damage = 'too long';
  const most =
    <u64>CheckpointHead.Bytes + <u64>epochCount * EpochRecord.Bytes + Checkpoint.MostSettings + 16 + regionBytes + Checkpoint.DigestBytes;
  if (size > most) return false;
  damage = 'it cannot be read';
  if (readAt(opened, 0, head, CheckpointHead.Bytes) != 0) return false;
  damage = 'it does not start like one';
  if (!hasMagic(words, head)) return false;
  const end = size - Checkpoint.DigestBytes;
  const room = stageBytes();
  shaBegin(context);
  for (let at: u64 = 0; at < end; at += room) {
    const n = <usize>min<u64>(room, end - at);
    damage = 'it cannot be read';
    if (readAt(opened, at, stage(), n) != 0) return false;
    shaAdd(context, stage(), n);
  }
  shaEnd(context, digest);
  if (readAt(opened, end, stage(), 32) != 0) return false;
  damage = 'its SHA-256 is wrong';
  if (memory.compare(stage(), digest, 32) != 0) return false;
  damage = 'another version of s2a wrote it';
  if (headWord(CheckpointHead.Version) != Checkpoint.Version) return false;
  damage = headFault(words, head, <f64>end);
  if (damage.length > 0) return false;
  damage = 'its region has another size';
  if (<usize>headWord(CheckpointHead.RegionBytes) != regionBytes) return false;
  damage = 'its epochs';
  const n = headWord(CheckpointHead.Epochs);
  if (n > epochCount || headWord(CheckpointHead.Epoch) > epochCount || headWord(CheckpointHead.Position) > countOf(LEARN)) return false;
  return !withRun || (n == headWord(CheckpointHead.Epoch) && (n == 0 || headWord(CheckpointHead.BestEpoch) > 0));
}

function headWord(at: u32): u32 {
  return load<u32>(head + at);
}

/** Ends the program where the checkpoint at `path` is not one of this run. */
function belongs(): void {
  const hint = 'train with what it was started with, or start anew without --resume';
  const n = headWord(CheckpointHead.SettingsBytes);
  let isSame = n == sectionBytes(Section.Settings);
  if (isSame) {
    const at = <u64>settingsStart(words, head);
    const room = min<usize>(stageBytes(), Checkpoint.MostSettings);
    for (let done: usize = 0; isSame && done < n; done += room) {
      const part = min<usize>(room, <usize>n - done);
      needBytes(opened, at + done, stage(), part, path);
      isSame = memory.compare(stage(), section(Section.Settings) + done, part) == 0;
    }
  }
  if (!isSame) refuse(path, 'the checkpoint belongs to a run with other settings', hint);
  if (memory.compare(head + CheckpointHead.Data, dataDigest, 32) != 0)
    refuse(path, 'the checkpoint belongs to a run with other pictures', hint);
  if (memory.compare(head + CheckpointHead.Program, programDigest, 32) != 0)
    refuse(path, 'the checkpoint belongs to a run with another program', hint);
}

/** Reads the region into place and, of a run, what it remembers. */
function take(p: usize, n: usize, withRun: bool): void {
  needBytes(opened, <u64>regionStart(words, head), p, n, path);
  if (!withRun) return;
  needBytes(opened, 0, runHead, <usize>settingsStart(words, head), path);
  const s = state();
  const isSame =
    load<u32>(s, State.Step) == headWord(CheckpointHead.Step) &&
    load<u32>(s, State.Epoch) == headWord(CheckpointHead.Epoch) &&
    load<u32>(s, State.Position) == headWord(CheckpointHead.Position);
  if (!isSame) refuse(path, 'the checkpoint disagrees with itself', 'start anew without --resume');
}

/** The epoch of the checkpoint that was read last. */
export function readEpoch(): u32 {
  return headWord(CheckpointHead.Epoch);
}
