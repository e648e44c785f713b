/**
 * The head before the first step, as src/training/headstart.ts makes it: one pass over the pictures, what the classifier reads into a file, ridge
 * regression of it by the engine's own code. Nothing is taken but the memory that the plan has.
 */
import { fd_close, oflags, rights } from 'bindings/wasi_snapshot_preview1';
import { LinearArg } from '../../assembly/abi/ops/dense';
import { Instruction, Op } from '../../assembly/abi/ops';
import { Io, LayoutWord, ParameterWord, Section } from '../../assembly/abi/program';
import { Found, Want } from '../../assembly/abi/ridge';
import { RunField } from '../../assembly/abi/run';
import { Encoding } from '../../assembly/abi/weights';
import { ridgeBegin, ridgeFound, ridgeNext, ridgePictures, ridgeRow } from '../../assembly/ridge/ridge';
import { EVAL, runUntil } from './arena';
import { clearLabels, countOf, fillRow, LEARN, labelOf } from './data';
import { need, openLocated, opened, locate, readAt } from './files';
import { copyPath, enter, lengthOf, textOf } from './path';
import { arena, countRecords, layoutWord, lineAt, lineBytes, portBytes, portOffset, runWord, section } from './program';
import { begin, ENGINE, finish } from './refuse';
import { flush, json, line, number, real, STDERR, text, to } from './text';
import { appendTo, remove } from './write';

const path = memory.data(1024);
const word = memory.data(4);

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
  copyPath(path, folder);
  enter(path, '.head.wasi.tmp');
  const p = textOf(path);
  const n = lengthOf(path);
  need(locate(p, n), p, n, 'cannot be written: ');
  need(openLocated(rights.FD_READ | rights.FD_WRITE | rights.FD_SEEK, oflags.CREAT | oflags.TRUNC, 0), p, n, 'cannot be written: ');
  const file = opened;
  const taken = writeFeatures(file, quota);
  const width = features << 2;
  ridgeBegin(room, <i32>taken, <i32>features, <i32>classes, weight, bias, gradient, 0, roomBytes);
  let wanted = taken < 2 ? Want.Constant : ridgeNext(0);
  while (wanted >= 0) {
    const from = <u64>wanted * (width + 4);
    need(readAt(file, from, arena + ridgeRow(), width), p, n);
    need(readAt(file, from + width, word, 4), p, n);
    wanted = ridgeNext(load<i32>(word));
  }
  fd_close(file);
  remove(path);
  if (wanted == Want.Constant) return zero('what it reads is the same for every picture, or of one class alone');
  if (wanted == Want.NotFinite) {
    begin(p, 0, 'head: reads features that are NaN or infinite');
    finish('pack with --head zero to start without them', ENGINE);
  }
  used = taken;
  tell(taken, all);
}

function zero(why: string): void {
  to(STDERR);
  text('head starts from zero: ');
  text(why);
  line();
}

function tell(taken: u32, all: u32): void {
  to(STDERR);
  text('head starts from ridge regression on ');
  number(taken);
  if (taken != all) {
    text(' of ');
    number(all);
  }
  text(' pictures: lambda ');
  real(ridgeFound(Found.Relative), 4);
  text(', logits x ');
  real(ridgeFound(Found.Factor), 2);
  if (ridgeFound(Found.LeftOut) > 0) {
    text('; left out one by one ');
    real(100 * ridgeFound(Found.Right), 1);
    text(' % of them are named rightly');
  }
  line();
}

/** The same for the metrics, as `s2a train` writes it; nothing where the head starts at zero. */
export function headMetrics(metrics: u32): void {
  if (used == 0) return;
  to(metrics);
  text('{"head":"ridge","pictures":');
  number(used);
  text(',"lambda":');
  json(ridgeFound(Found.Relative));
  text(',"factor":');
  json(ridgeFound(Found.Factor));
  text('}\n');
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
  const end = layoutWord(LayoutWord.Entries + 2 * EVAL + 1);
  for (let at = layoutWord(LayoutWord.Entries + 2 * EVAL); at < end; ) {
    const p = arena + at;
    const a = p + (Instruction.Arguments << 2);
    if (
      load<u32>(p, Instruction.Op << 2) == <u32>Op.Linear &&
      load<u32>(a, LinearArg.N << 2) == classes &&
      load<u32>(a, LinearArg.M << 2) == runWord(RunField.MicroBatch) &&
      load<u32>(a, LinearArg.ENCODING << 2) == <u32>Encoding.F32
    ) {
      const k = load<u32>(a, LinearArg.K << 2);
      const w = parameterAt(load<u32>(a, LinearArg.W << 2), <u64>classes * k);
      const b = parameterAt(load<u32>(a, LinearArg.B << 2), classes);
      if (w != 0 && b != 0) {
        instruction = at;
        x = load<u32>(a, LinearArg.X << 2);
        features = k;
        weight = load<u32>(w, ParameterWord.Offset << 2);
        bias = load<u32>(b, ParameterWord.Offset << 2);
        gradient = load<u32>(w, ParameterWord.Gradient << 2);
        biasGradient = load<u32>(b, ParameterWord.Gradient << 2);
      }
    }
    at += load<u32>(p, Instruction.Words << 2) << 2;
  }
  if (instruction != 0) return;
  begin(path, 0, 'program: has no classifier to start');
  finish('', ENGINE);
}

/** The record of the parameter at an offset, of so many numbers, with a gradient; 0: none, or the side branch's. */
function parameterAt(offset: u32, numbers: u64): usize {
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
    const r = section(Section.Parameters) + i * (ParameterWord.Count << 2);
    if (load<u32>(r, ParameterWord.Offset << 2) != offset || load<u32>(r, ParameterWord.Gradient << 2) == 0) continue;
    const size = <u64>load<u32>(r, ParameterWord.D0 << 2) * load<u32>(r, ParameterWord.D1 << 2) * load<u32>(r, ParameterWord.D2 << 2);
    if (size != numbers) continue;
    const bytes = lineBytes(Section.Names, load<u32>(r, ParameterWord.Name << 2));
    if (bytes >= 5 && load<u32>(lineAt) == 0x65646973 && load<u8>(lineAt, 4) == 0x2e) continue;
    return r;
  }
  return 0;
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
    runUntil(EVAL, instruction);
    const labels = arena + portOffset(Io.Labels);
    for (let r: u32 = 0; r < row; r++) {
      need(appendTo(file, arena + x + ((<usize>r * features) << 2), features << 2), textOf(path), lengthOf(path), 'cannot be written: ');
      need(appendTo(file, labels + ((<usize>r) << 2), 4), textOf(path), lengthOf(path), 'cannot be written: ');
    }
    taken += row;
  }
  forgetCounts();
  return taken;
}
