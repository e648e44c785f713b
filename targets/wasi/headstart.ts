/**
 * The head before the first step, as src/training/headstart.ts makes it: one pass over the pictures, what the classifier reads into a file, ridge
 * regression of it by the engine's own code. Nothing is taken but the memory that the plan has.
 */
import { oflags, rights } from 'bindings/wasi_snapshot_preview1';
import { Io, LayoutWord, Section } from '../../assembly/abi/program';
import { Found, Want } from '../../assembly/abi/ridge';
import { RunField } from '../../assembly/abi/run';
import { isText } from '../../assembly/formats/json';
import { findLine, lineAt, lineBytes } from '../../assembly/formats/sections';
import * as head from '../../assembly/runner/head';
import { ridgeBegin, ridgeFound, ridgeNext, ridgePictures, ridgeRow } from '../../assembly/ridge/ridge';
import { endOf, EVAL, port, run, startOf } from './arena';
import { clearLabels, countOf, fillRow, LEARN, labelOf } from './data';
import { closeFile, locate, need, needBytes, opened, openLocated } from './files';
import { pathIn } from './path';
import { arena, countRecords, elements, layoutWord, portBytes, portOffset, runWord, tensorOf } from './program';
import { ENGINE, fail, refuse } from './refuse';
import { current } from './runner';
import { flush, say, STDERR, to } from './text';
import { words } from './words';
import { appendTo, create, place, put, remove, seal } from './write';

const path = memory.data(1024);
const word = memory.data(4);
const UNWRITTEN = 'cannot be written: ';

/** Pictures that the head was made of. */
let used: u32 = 0;

/** Writes the head's rows. `folder`: the run's. */
export function startHead(folder: usize): void {
  const classes = runWord(RunField.Classes);
  findHead();
  const room = roomOffset();
  const roomBytes = layoutWord(LayoutWord.ScratchOffset) - room;
  const all = countOf(LEARN);
  const most = <u32>ridgePictures(roomBytes, <i32>all, <i32>head.features, <i32>classes);
  const quota = head.quotaOf(current, most);
  if (most == 0 || quota == 0) return zero('the plan has no room for the regression');
  const file = openFeatures(folder);
  const taken = writeFeatures(file, quota);
  const width = (<u32>head.features) << 2;
  const weight = tensorOf(Section.Parameters, <u32>head.weight);
  const bias = tensorOf(Section.Parameters, <u32>head.bias);
  ridgeBegin(room, <i32>taken, <i32>head.features, <i32>classes, weight.offset, bias.offset, weight.start, 0, roomBytes);
  let wanted = taken < 2 ? Want.Constant : ridgeNext(0);
  while (wanted >= 0) {
    const from = <u64>wanted * (width + 4);
    needBytes(file, from, arena + ridgeRow(), width, path);
    needBytes(file, from + width, word, 4, path);
    wanted = ridgeNext(load<i32>(word));
  }
  closeFile(file);
  remove(path);
  if (wanted == Want.Constant) return zero('what it reads is the same for every picture, or of one class alone');
  const hint = 'pack with --head zero to start without them';
  if (wanted == Want.NotFinite) fail(ENGINE, 0, 'head: reads features that are NaN or infinite', hint);
  used = taken;
  tell(taken, all);
}

function findHead(): void {
  if (!head.findClassifier(current, startOf(EVAL), endOf(EVAL), parameterAt)) fail(ENGINE, 0, 'program: has no linear classifier');
}

/** The file that features are kept in for a while, empty. */
function openFeatures(folder: usize): u32 {
  pathIn(path, folder, '.head.wasi.tmp');
  need(locate(path), path, UNWRITTEN);
  need(openLocated(rights.FD_READ | rights.FD_WRITE | rights.FD_SEEK, oflags.CREAT | oflags.TRUNC, 0), path, UNWRITTEN);
  return opened;
}

/**
 * Sums of what the classifier reads, over the pictures to learn from, as src/fleet/sums.ts has them: into the folder's sums.f64, one behind the other.
 * The memory between two passes holds them, and one picture's features behind.
 */
export function writeSums(folder: usize, isDiagonal: bool): void {
  findHead();
  const all = countOf(LEARN);
  const n = <usize>head.features;
  const ownBytes = (n + 1) << 3;
  const width = (n << 2) + 4;
  const sums = arena + roomOffset();
  const whole = <u64>ownBytes * runWord(RunField.Classes) + <u64>n * (isDiagonal ? 8 : (<u64>n + 1) * 4);
  if (sums + whole + width > arena + layoutWord(LayoutWord.ScratchOffset)) refuse(folder, 'the plan has no room for the regression');
  const file = openFeatures(folder);
  writeFeatures(file, head.quotaOf(current, all));
  const row = sums + <usize>whole;
  memory.fill(sums, 0, <usize>whole);
  for (let i: u32 = 0; i < all; i++) {
    needBytes(file, <u64>i * width, row, width, path);
    const own = sums + ownBytes * load<u32>(row + (n << 2));
    let at = sums + ownBytes * runWord(RunField.Classes);
    for (let a: usize = 0; a < n; a++) {
      const x = <f64>load<f32>(row + (a << 2));
      add(own + (a << 3), x);
      for (let b = a, end = isDiagonal ? a + 1 : n; b < end; b++, at += 8) add(at, x * load<f32>(row + (b << 2)));
    }
    add(own + (n << 3), 1);
  }
  closeFile(file);
  remove(path);
  pathIn(path, folder, 'sums.f64');
  create(path);
  put(sums, <usize>whole);
  seal();
  place(path);
}
function add(at: usize, x: f64): void {
  store<f64>(at, load<f64>(at) + x);
}

function zero(why: string): void {
  to(STDERR);
  say('head starts from zero: ');
  say(why);
  say('\n');
}

function tell(taken: u32, all: u32): void {
  to(STDERR);
  say('head starts from ridge regression on #', taken);
  if (taken != all) say(' of #', all);
  say(' pictures: lambda @4, logits x @2', ridgeFound(Found.Relative), ridgeFound(Found.Factor));
  if (ridgeFound(Found.LeftOut) > 0) say('; left out one by one @1 % of them are named rightly', 100 * ridgeFound(Found.Right));
  say('\n');
}

/** The same for the metrics, as `s2a train` writes it; nothing where the head starts at zero. */
export function headMetrics(metrics: u32): void {
  if (used == 0) return;
  to(metrics);
  say('{"head":"ridge","pictures":#,"lambda":~,"factor":~}\n', used, ridgeFound(Found.Relative), ridgeFound(Found.Factor));
  flush();
}

/** The memory between two passes: from the end of what the host writes and reads to scratch. */
function roomOffset(): u32 {
  let end: u32 = 0;
  for (let id: u32 = Io.Pictures; id <= <u32>Io.State; id++) end = max(end, portOffset(id) + portBytes(id));
  return (end + 15) & ~15;
}

/** The parameter at an offset, of so many numbers, with a gradient; -1: none, or the side branch's. */
function parameterAt(offset: f64, numbers: f64): f64 {
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
    const t = tensorOf(Section.Parameters, i);
    if (t.offset != offset || t.start == 0 || <f64>elements(t) != numbers) continue;
    findLine(Section.Names, t.name);
    if (lineBytes < 5 || !isText(words, lineAt, 5, 'side.')) return i;
  }
  return -1;
}

/** Records of the pictures that are taken, in their order: features and label. Returns how many. */
function writeFeatures(file: u32, quota: f64): u32 {
  const all = countOf(LEARN);
  const micro = runWord(RunField.MicroBatch);
  const width = (<usize>head.features) << 2;
  let taken: u32 = 0;
  for (let i: u32 = 0; i < all; ) {
    clearLabels();
    let row: u32 = 0;
    for (; i < all && row < micro; i++) if (head.isTaken(current, labelOf(LEARN, i), quota)) fillRow(LEARN, i, row++);
    if (row == 0) break;
    run(EVAL, false, <u32>head.instruction);
    for (let r: u32 = 0; r < row; r++) {
      need(appendTo(file, arena + <usize>head.x + <usize>r * width, width), path, UNWRITTEN);
      need(appendTo(file, port(Io.Labels) + ((<usize>r) << 2), 4), path, UNWRITTEN);
    }
    taken += row;
  }
  return taken;
}
