/**
 * The head before the first step, as src/training/headstart.ts makes it: one pass over the pictures, what the classifier reads into a file, ridge
 * regression of it by the engine's own code. Nothing is taken but the memory that the plan has.
 */
import { oflags, rights } from 'bindings/wasi_snapshot_preview1';
import { LinearArg } from '../../assembly/abi/ops/dense';
import { Instruction, Op } from '../../assembly/abi/ops';
import { Io, LayoutWord, Section } from '../../assembly/abi/program';
import { Found, Want } from '../../assembly/abi/ridge';
import { RunField } from '../../assembly/abi/run';
import { Encoding } from '../../assembly/abi/weights';
import { ridgeBegin, ridgeFound, ridgeNext, ridgePictures, ridgeRow } from '../../assembly/ridge/ridge';
import { endOf, EVAL, run, startOf } from './arena';
import { clearLabels, countOf, fillRow, LEARN, labelOf } from './data';
import { closeFile, locate, need, needBytes, opened, openLocated } from './files';
import { endsWith, pathIn } from './path';
import {
  arena,
  countRecords,
  elements,
  layoutWord,
  lineAt,
  lineBytes,
  portBytes,
  portOffset,
  runWord,
  selectLine,
  tensorOf,
} from './program';
import { ENGINE, fail } from './refuse';
import { flush, say, STDERR, to } from './text';
import { appendTo, remove } from './write';

const path = memory.data(1024);
const word = memory.data(4);
const UNWRITTEN = 'cannot be written: ';

// The classifier: offsets of its instruction, of what it reads, of its parameters and their gradients.
let instruction: u32 = 0;
let x: u32 = 0;
let features: u32 = 0;
let weight: u32 = 0;
let bias: u32 = 0;
let gradient: u32 = 0;
let biasGradient: u32 = 0;
/** Pictures that the head was made of. */
let used: u32 = 0;

/** Writes the head's rows. `folder`: the run's. */
export function startHead(folder: usize): void {
  const classes = runWord(RunField.Classes);
  findClassifier();
  const room = roomOffset();
  const roomBytes = layoutWord(LayoutWord.ScratchOffset) - room;
  const all = countOf(LEARN);
  const most = <u32>ridgePictures(roomBytes, <i32>all, <i32>features, <i32>classes);
  const quota = quotaOf(most);
  if (most == 0 || quota == 0) return zero('the plan has no room for the regression');
  pathIn(path, folder, '.head.wasi.tmp');
  need(locate(path), path, UNWRITTEN);
  need(openLocated(rights.FD_READ | rights.FD_WRITE | rights.FD_SEEK, oflags.CREAT | oflags.TRUNC, 0), path, UNWRITTEN);
  const file = opened;
  const taken = writeFeatures(file, quota);
  const width = features << 2;
  ridgeBegin(room, <i32>taken, <i32>features, <i32>classes, weight, bias, gradient, 0, roomBytes);
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

/** Finds the last layer of evaluation whose weight has a row for each class and learns, the side branch's part left out. */
function findClassifier(): void {
  const classes = runWord(RunField.Classes);
  instruction = 0;
  for (let at = startOf(EVAL), end = endOf(EVAL); at < end; at += load<u32>(arena + at, Instruction.Words << 2) << 2) {
    const a = arena + at + (Instruction.Arguments << 2);
    if (load<u32>(arena + at, Instruction.Op << 2) != <u32>Op.Linear || load<u32>(a, LinearArg.N << 2) != classes) continue;
    if (load<u32>(a, LinearArg.M << 2) != runWord(RunField.MicroBatch) || load<u32>(a, LinearArg.ENCODING << 2) != <u32>Encoding.F32)
      continue;
    const k = load<u32>(a, LinearArg.K << 2);
    const w = parameterAt(load<u32>(a, LinearArg.W << 2), <u64>classes * k);
    const b = parameterAt(load<u32>(a, LinearArg.B << 2), classes);
    if (w < 0 || b < 0) continue;
    instruction = at;
    x = load<u32>(a, LinearArg.X << 2);
    features = k;
    weight = tensorOf(Section.Parameters, w).offset;
    gradient = tensorOf(Section.Parameters, w).start;
    bias = tensorOf(Section.Parameters, b).offset;
    biasGradient = tensorOf(Section.Parameters, b).start;
  }
  if (instruction == 0) fail(ENGINE, 0, 'program: has no classifier to start');
}

/** The parameter at an offset, of so many numbers, with a gradient; -1: none, or the side branch's. */
function parameterAt(offset: u32, numbers: u64): i32 {
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
    const t = tensorOf(Section.Parameters, i);
    if (t.offset != offset || t.start == 0 || elements(t) != numbers) continue;
    selectLine(Section.Names, t.name);
    if (lineBytes < 5 || !endsWith(lineAt, 5, 'side.')) return i;
  }
  return -1;
}

/** Pictures by class, u32, where the bias's gradient is: it is zero before the first step, and again after `startHead`. */
@inline function counted(label: i32): usize {
  return arena + biasGradient + ((<usize>label) << 2);
}
function forgetCounts(): void {
  memory.fill(arena + biasGradient, 0, (<usize>runWord(RunField.Classes)) << 2);
}

/** Pictures of a class at most, so that there are `most` in all or fewer. */
function quotaOf(most: u32): u32 {
  const all = countOf(LEARN);
  if (all <= most) return all;
  forgetCounts();
  for (let i: u32 = 0; i < all; i++) {
    const c = counted(labelOf(LEARN, i));
    store<u32>(c, load<u32>(c) + 1);
  }
  let quota: u32 = 0;
  for (;;) {
    let sum: u64 = 0;
    for (let c: u32 = 0; c < runWord(RunField.Classes); c++) sum += min(load<u32>(counted(c)), quota + 1);
    if (sum > most) break;
    quota++;
  }
  forgetCounts();
  return quota;
}

/** Records of the pictures that are taken, in their order: features and label. Returns how many. */
function writeFeatures(file: u32, quota: u32): u32 {
  const all = countOf(LEARN);
  const micro = runWord(RunField.MicroBatch);
  forgetCounts();
  let taken: u32 = 0;
  for (let i: u32 = 0; i < all; ) {
    clearLabels();
    let row: u32 = 0;
    for (; i < all && row < micro; i++) {
      const c = counted(labelOf(LEARN, i));
      if (load<u32>(c) == quota) continue;
      store<u32>(c, load<u32>(c) + 1);
      fillRow(LEARN, i, row++);
    }
    if (row == 0) break;
    run(EVAL, false, instruction);
    const labels = arena + portOffset(Io.Labels);
    for (let r: u32 = 0; r < row; r++) {
      need(appendTo(file, arena + x + ((<usize>r * features) << 2), features << 2), path, UNWRITTEN);
      need(appendTo(file, labels + ((<usize>r) << 2), 4), path, UNWRITTEN);
    }
    taken += row;
  }
  forgetCounts();
  return taken;
}
