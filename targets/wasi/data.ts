/**
 * Pictures and targets of one part, in a pair of .npy files: images [N,H,W,C] of uint8 or f32 (the same numbers, 0 … 255); labels [N] of whole numbers, or
 * where the task is not one class of several targets [N,n] of f32. Two parts may be open: the one to learn from and the one to judge by.
 */
import { State } from '../../assembly/abi/head';
import { Io } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer, targetBytes } from '../../assembly/abi/task';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { sampleAt } from '../../assembly/engine/random';
import { axes, axis, dataOffset, Kind, kind, size } from '../../assembly/formats/npy';
import { clearTargets, countTarget } from '../../assembly/runner/answers';
import { Part, stateWord } from '../../assembly/runner/run';
import { port, stage, stageBytes } from './arena';
import { needBytes } from './files';
import { openArray } from './reader';
import { append, copyPath, pathIn } from './path';
import { channelCount, portBytes, portOffset, runWord } from './program';
import { begin, finish, refuse } from './refuse';
import { current } from './runner';
import { say } from './text';
import { words } from './words';

export const LEARN: u32 = Part.Learn;
export const JUDGE: u32 = Part.Judge;

/** A part that is open: its files, their first bytes, bytes of a channel, what labels are and their bytes, how many. */
@unmanaged
class Opened {
  images: u32;
  labels: u32;
  imagesAt: u64;
  labelsAt: u64;
  channelBytes: u32;
  labelKind: u32;
  labelBytes: u32;
  count: u32;
}

const parts = memory.data(128);
const imagePaths = memory.data(2048);
const labelPaths = memory.data(2048);
const raw = memory.data(8);
const outer = memory.data(128);
const inner = memory.data(128);
const digest = memory.data(32);

function at(part: u32): Opened {
  return changetype<Opened>(parts + (part << 6));
}
export function countOf(part: u32): u32 {
  return at(part).count;
}
function imagePath(part: u32): usize {
  return imagePaths + (part << 10);
}
function labelPath(part: u32): usize {
  return labelPaths + (part << 10);
}

/** Values of one picture: H·W·C. */
function values(): usize {
  return <usize>runWord(RunField.Height) * runWord(RunField.Width) * channelCount();
}

/** Opens images of that path into a part: their shape must be the program's, their element type one that it takes. */
export function openImages(part: u32, from: usize, mayBeEmpty: bool = false): void {
  const path = imagePath(part);
  copyPath(path, from);
  const file = openArray(path);
  const height = runWord(RunField.Height);
  const width = runWord(RunField.Width);
  if (axes != 4 || axis(1) != height || axis(2) != width || axis(3) != channelCount()) {
    begin(path);
    say('has the wrong shape, got [');
    for (let i: u32 = 0; i < <u32>axes; i++) say(i > 0 ? ', #' : '#', axis(i));
    say('], expected [N, #, #, #]', height, width, channelCount());
    finish();
  }
  const isBytes = kind == Kind.Uint && size == 1;
  if (!isBytes && !(kind == Kind.Float && size == 4)) refuse(path, 'has the wrong element type, expected uint8 or float32');
  if (!isBytes && runWord(RunField.PixelBytes) == 1)
    refuse(path, 'holds float32, but the program was packed for uint8 pictures', 'pack with --pixels f32');
  if ((axis(0) == 0 && !mayBeEmpty) || axis(0) > 0x7fffffff) refuse(path, 'holds no pictures');
  const opened = at(part);
  opened.images = file;
  opened.imagesAt = <u64>dataOffset;
  opened.channelBytes = <u32>size;
  opened.count = <u32>axis(0);
}

/** Opens `<name>-images.npy` and `<name>-labels.npy` of a folder; what is judged by while training may hold nothing. */
export function openPart(part: u32, folder: usize, name: string, mayBeEmpty: bool = false): void {
  pathIn(imagePath(part), folder, name);
  append(imagePath(part), '-images.npy');
  openImages(part, imagePath(part), mayBeEmpty);
  const path = labelPath(part);
  pathIn(path, folder, name);
  append(path, '-labels.npy');
  const opened = at(part);
  opened.labels = openArray(path);
  const outputs = runWord(RunField.Classes);
  const isClass = runWord(RunField.Answer) == Answer.Class;
  if (isClass && kind == Kind.Float) refuse(path, 'holds numbers that are not whole');
  if (!isClass && (kind != Kind.Float || size != 4 || axes != 2 || axis(1) != outputs))
    refuse(path, 'does not hold the targets of this task, expected float32 [N, #], in the order in which info names them', '', outputs);
  if ((isClass && axes != 1) || axis(0) != opened.count) {
    const found = axes == 0 ? 0 : axis(0);
    refuse(path, 'has another number of labels than there are pictures, got #, expected #', '', found, opened.count);
  }
  opened.labelsAt = <u64>dataOffset;
  opened.labelKind = kind;
  opened.labelBytes = <u32>size;
}

/** Puts a picture's targets at `p`, as the port has them; one that its task does not know ends the program. */
function readTargets(part: u32, index: u32, p: usize): void {
  const answer = runWord(RunField.Answer);
  if (answer == Answer.Class) {
    store<i32>(p, labelOf(part, index));
    return;
  }
  const n = targetSize();
  const opened = at(part);
  needBytes(opened.labels, opened.labelsAt + <u64>index * n, p, n, labelPath(part));
  for (let i: u32 = 0; i < n; i += 4) {
    const value = load<f32>(p + i);
    if (answer == Answer.Numbers && !isFinite<f32>(value))
      refuse(labelPath(part), 'the targets of picture # are not all finite numbers', '', index);
    if (answer == Answer.Labels && !(value >= 0 && value <= 1))
      refuse(labelPath(part), 'the targets of picture # are not all from 0 to 1', '', index);
  }
}
function targetSize(): u32 {
  return <u32>targetBytes(runWord(RunField.Answer), runWord(RunField.Classes));
}

/** The label of a picture; one that is no class ends the program. */
export function labelOf(part: u32, index: u32): i32 {
  const opened = at(part);
  const bytes = opened.labelBytes;
  needBytes(opened.labels, opened.labelsAt + <u64>index * bytes, raw, bytes, labelPath(part));
  // As many bytes as there are, with the sign where they have one.
  const unused = <i64>(64 - (bytes << 3));
  const shifted = load<i64>(raw) << unused;
  const value = opened.labelKind == Kind.Int ? shifted >> unused : <i64>(<u64>shifted >> unused);
  const classes = runWord(RunField.Classes);
  if (value >= 0 && value < <i64>classes) return <i32>value;
  begin(labelPath(part));
  say('label # of picture # is a class that the program lacks: it was packed for #, 0 to #', <f64>value, index, classes, classes - 1);
  finish('s2a.wasm info names them; pack with pictures of every class');
  return 0;
}

/** Reads `n` bytes of a picture, from `from` on. */
function readPicture(part: u32, index: u32, from: usize, p: usize, n: usize): void {
  const opened = at(part);
  needBytes(opened.images, opened.imagesAt + <u64>index * values() * opened.channelBytes + from, p, n, imagePath(part));
}

/** Puts a picture into row `row` of the pictures' port; bytes become f32 where the program takes those. */
function readInto(part: u32, index: u32, row: u32): void {
  const n = values();
  const wanted = runWord(RunField.PixelBytes);
  const target = port(Io.Pictures) + <usize>row * n * wanted;
  if (at(part).channelBytes == wanted) {
    readPicture(part, index, 0, target, n * wanted);
    return;
  }
  // The bytes lie in the last quarter of the row until they are spread over it.
  const source = target + 3 * n;
  readPicture(part, index, 0, source, n);
  for (let i: usize = 0; i < n; i++) store<f32>(target + (i << 2), <f32>load<u8>(source + i));
}

/** One row of the ports: picture `index`, with its label where that is known. */
export function fillRow(part: u32, index: u32, row: u32, isLabelled: bool = true): void {
  readInto(part, index, row);
  if (isLabelled) readTargets(part, index, port(Io.Labels) + row * targetSize());
}

/** Marks every row as padding. */
export function clearLabels(): void {
  memory.fill(port(Io.Labels), 0xff, portBytes(Io.Labels));
}

/** The pictures that the run wants, in an epoch's order, from the first again after the last; with the numbers that augmentation counts by. */
export function fillOrder(epoch: u32): void {
  const n = countOf(LEARN);
  const seed = <u32>stateWord(current, State.Seed);
  const first = <u32>current.first;
  clearLabels();
  for (let row: u32 = 0, rows = <u32>current.rows; row < rows; row++) {
    if (portOffset(Io.Samples) != 0) store<u32>(port(Io.Samples) + (row << 2), epoch * n + first + row);
    fillRow(LEARN, sampleAt((first + row) % n, n, seed, epoch), row);
  }
}
/** The pictures of a part that the run wants, one after the other. */
export function fillPart(part: u32): void {
  clearLabels();
  for (let row: u32 = 0, rows = <u32>current.rows; row < rows; row++) fillRow(part, <u32>current.first + row, row);
}

/**
 * Reads all pictures and labels once: every label is a class, and counted, every number finite; SHA-256 to `out`, as src/data/digest.ts has it: of both
 * parts the count, then of each picture the SHA-256 of its pixels and its label or targets.
 */
export function digestData(out: usize): void {
  shaBegin(outer);
  for (let part = LEARN; part <= JUDGE; part++) {
    const count = countOf(part);
    clearTargets(current, part);
    store<u32>(raw, count);
    shaAdd(outer, raw, 4);
    for (let i: u32 = 0; i < count; i++) {
      // The port is free until the first pass.
      const target = port(Io.Labels);
      readTargets(part, i, target);
      digestPicture(part, i);
      shaAdd(outer, digest, 32);
      countTarget(current, part, words, <f64>target);
      shaAdd(outer, target, targetSize());
    }
  }
  shaEnd(outer, out);
}

function digestPicture(part: u32, index: u32): void {
  const bytes = at(part).channelBytes;
  const total = values() * bytes;
  const room = stageBytes() & ~3;
  shaBegin(inner);
  for (let from: usize = 0; from < total; from += room) {
    const n = min(room, total - from);
    readPicture(part, index, from, stage(), n);
    shaAdd(inner, stage(), n);
    if (bytes == 4) checkFinite(part, index, n >> 2);
  }
  shaEnd(inner, digest);
}

function checkFinite(part: u32, index: u32, n: usize): void {
  for (let i: usize = 0; i < n; i++)
    if (!isFinite<f32>(load<f32>(stage() + (i << 2))))
      refuse(imagePath(part), 'picture # holds a number that is NaN or infinite', '', index);
}
