/**
 * Checkpoints of a run folder, in the layout of assembly/abi/checkpoint.ts, the same bytes as src/training/checkpointfile.ts writes: either runtime
 * goes on where the other stopped. The newest two are kept; of a damaged one it is said so, and the one before it is taken.
 */
import { Checkpoint, CheckpointHead, EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { Section } from '../../assembly/abi/program';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import * as format from '../../assembly/formats/checkpoint';
import { stage, stageBytes, state } from './arena';
import { countOf, LEARN } from './data';
import { closeFile, fileBytes, measure, need, needBytes, opened, openFile } from './files';
import { append, appendNumber, pathIn } from './path';
import { epochCount, headerWord, runHead, section, sectionBytes } from './program';
import { begin, refuse } from './refuse';
import { steps } from './runner';
import { flush, say } from './text';
import { files, know, words } from './words';
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
  format.putSizes(words, head, settings, n);
  store<u32>(head, load<u32>(state(), State.Step), CheckpointHead.Step);
  store<u32>(head, load<u32>(state(), State.Epoch), CheckpointHead.Epoch);
  store<u32>(head, load<u32>(state(), State.Position), CheckpointHead.Position);
  memory.copy(head + CheckpointHead.Program, programDigest, 32);
  memory.copy(head + CheckpointHead.Data, dataDigest, 32);
  const before = <usize>format.settingsStart(words, head);

  nameOf(folder, steps());
  create(path);
  shaBegin(context);
  add(head, CheckpointHead.Bytes);
  add(runHead + CheckpointHead.Bytes, before - CheckpointHead.Bytes);
  add(section(Section.Settings), settings);
  add(padding, <usize>format.regionStart(words, head) - before - settings);
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
  pathIn(path, folder, format.NAME_BEGIN);
  appendNumber(path, step);
  append(path, format.NAME_END);
}

function letterAt(i: f64): f64 {
  return load<u8>(entry + <usize>i);
}

/** The newest step of a folder below `bound`; -1 where there is none. */
function stepBelow(folder: usize, bound: i64): i64 {
  let best: i64 = -1;
  if (!openListing(folder)) return best;
  while (nextEntry()) {
    const step = <i64>format.stepOf(letterAt, entryBytes);
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

/** The number that the checkpoint which is looked at is known by. */
const FILE: u32 = 4;

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
    const damage = faultOf(n, withRun);
    if (damage.length == 0) {
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

/** What is wrong with the file at `path`; empty: nothing, and it is open. */
function faultOf(regionBytes: usize, withRun: bool): string {
  if (openFile(path) != 0) return 'it cannot be read';
  const fault = measure(opened) != 0 ? 'it cannot be read' : faultOfOpened(regionBytes, withRun);
  if (fault.length > 0) closeFile(opened);
  return fault;
}
function faultOfOpened(regionBytes: usize, withRun: bool): string {
  // Of one that no run of this program can have written not all has to be read to say so.
  const most =
    <u64>CheckpointHead.Bytes + <u64>epochCount * EpochRecord.Bytes + Checkpoint.MostSettings + 16 + regionBytes + Checkpoint.DigestBytes;
  if (fileBytes > most) return 'too long';
  know(FILE, opened, path);
  const fault = format.fileFault(files, FILE, <f64>fileBytes, words, head, stage(), stageBytes());
  return fault.length > 0 ? fault : format.runFault(words, head, regionBytes, epochCount, countOf(LEARN), withRun);
}

function headWord(at: u32): u32 {
  return load<u32>(head + at);
}

/** Ends the program where the checkpoint at `path` is not one of this run. */
function belongs(): void {
  const hint = 'train with what it was started with, or start anew without --resume';
  const settings = <f64>section(Section.Settings);
  const isSame = format.hasSettings(files, FILE, words, head, settings, sectionBytes(Section.Settings), stage(), stageBytes());
  if (!isSame) refuse(path, 'the checkpoint belongs to a run with other settings', hint);
  if (memory.compare(head + CheckpointHead.Data, dataDigest, 32) != 0)
    refuse(path, 'the checkpoint belongs to a run with other pictures', hint);
  if (memory.compare(head + CheckpointHead.Program, programDigest, 32) != 0)
    refuse(path, 'the checkpoint belongs to a run with another program', hint);
}

/** Reads the region into place and, of a run, what it remembers. */
function take(p: usize, n: usize, withRun: bool): void {
  needBytes(opened, <u64>format.regionStart(words, head), p, n, path);
  if (!withRun) return;
  needBytes(opened, 0, runHead, <usize>format.settingsStart(words, head), path);
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
