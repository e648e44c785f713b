/**
 * Pictures and labels of one part, in a pair of .npy files: images [N,H,W,3] of uint8 or f32 (the same numbers, 0 … 255), labels [N] of
 * whole numbers. Two parts may be open: the one to learn from and the one to judge by.
 */
import { State } from '../../assembly/abi/head';
import { Io } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { axes, axis, dataOffset, Kind, kind, size } from '../../assembly/formats/npy';
import { clearClasses, countClass } from '../../assembly/runner/classes';
import { Part, stateWord } from '../../assembly/runner/run';
import { sampleAt } from '../../assembly/engine/random';
import { port, stage, stageBytes } from './arena';
import { need, readAt } from './files';
import { file, openArray } from './npy';
import { append, copyPath, enter, lengthOf, textOf } from './path';
import { portOffset, runWord } from './program';
import { begin, finish, refuse, refuseNumbers } from './refuse';
import { current } from './runner';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { number, text } from './text';

export const LEARN: u32 = Part.Learn;
export const JUDGE: u32 = Part.Judge;

/** u32 images, u64 their first byte at 8, u32 bytes of a channel at 16, u32 labels at 20, u64 their first byte at 24, u32 kind, size, count. */
const parts = memory.data(128);
const imagePaths = memory.data(2048);
const labelPaths = memory.data(2048);
const raw = memory.data(8);
const outer = memory.data(128);
const inner = memory.data(128);
const digest = memory.data(32);

function at(part: u32): usize {
  return parts + (part << 6);
}
export function countOf(part: u32): u32 {
  return load<u32>(at(part), 40);
}
function imagePath(part: u32): usize {
  return imagePaths + (part << 10);
}
function labelPath(part: u32): usize {
  return labelPaths + (part << 10);
}

/** Values of one picture: H·W·3. */
function values(): usize {
  return <usize>runWord(RunField.Height) * runWord(RunField.Width) * 3;
}

/** Opens images of that path into a part: their shape must be the program's, their element type one that it takes. */
export function openImages(part: u32, path: usize, mayBeEmpty: bool = false): void {
  copyPath(imagePath(part), path);
  const p = textOf(path);
  const n = lengthOf(path);
  openArray(p, n);
  const height = runWord(RunField.Height);
  const width = runWord(RunField.Width);
  if (axes != 4 || axis(1) != height || axis(2) != width || axis(3) != 3) {
    begin(p, n, 'has the wrong shape, got [');
    for (let i: u32 = 0; i < <u32>axes; i++) {
      if (i > 0) text(', ');
      number(<u64>axis(i));
    }
    text('], expected [N, ');
    number(height);
    text(', ');
    number(width);
    text(', 3]');
    finish();
  }
  const isBytes = kind == Kind.Uint && size == 1;
  if (!isBytes && !(kind == Kind.Float && size == 4)) refuse(p, n, 'has the wrong element type, expected uint8 or float32');
  if (!isBytes && runWord(RunField.PixelBytes) == 1)
    refuse(p, n, 'holds float32, but the program was packed for uint8 pictures', 'pack with --pixels f32');
  if ((axis(0) == 0 && !mayBeEmpty) || axis(0) > 0x7fffffff) refuse(p, n, 'holds no pictures');
  const record = at(part);
  store<u32>(record, file);
  store<u64>(record, <u64>dataOffset, 8);
  store<u32>(record, <u32>size, 16);
  store<u32>(record, <u32>axis(0), 40);
}

/** Opens `<name>-images.npy` and `<name>-labels.npy` of a folder; what is judged by while training may hold nothing. */
export function openPart(part: u32, folder: usize, name: string, mayBeEmpty: bool = false): void {
  const path = imagePath(part);
  copyPath(path, folder);
  enter(path, name);
  append(path, '-images.npy');
  openImages(part, path, mayBeEmpty);
  const labels = labelPath(part);
  copyPath(labels, folder);
  enter(labels, name);
  append(labels, '-labels.npy');
  openArray(textOf(labels), lengthOf(labels));
  if (kind == Kind.Float) refuse(textOf(labels), lengthOf(labels), 'holds numbers that are not whole');
  const record = at(part);
  if (axes != 1 || axis(0) != load<u32>(record, 40))
    refuseNumbers(
      textOf(labels),
      lengthOf(labels),
      'has another number of labels than there are pictures',
      axes == 0 ? 0 : <u64>axis(0),
      load<u32>(record, 40),
    );
  store<u32>(record, file, 20);
  store<u64>(record, <u64>dataOffset, 24);
  store<u32>(record, kind, 32);
  store<u32>(record, <u32>size, 36);
}

/** The label of a picture; one that is no class ends the program. */
export function labelOf(part: u32, index: u32): i32 {
  const record = at(part);
  const bytes = load<u32>(record, 36);
  const path = labelPath(part);
  need(readAt(load<u32>(record, 20), load<u64>(record, 24) + <u64>index * bytes, raw, bytes), textOf(path), lengthOf(path));
  let value: i64 = 0;
  if (load<u32>(record, 32) == Kind.Int)
    value = bytes == 1 ? <i64>load<i8>(raw) : bytes == 2 ? <i64>load<i16>(raw) : bytes == 4 ? <i64>load<i32>(raw) : load<i64>(raw);
  else value = bytes == 1 ? <i64>load<u8>(raw) : bytes == 2 ? <i64>load<u16>(raw) : bytes == 4 ? <i64>load<u32>(raw) : load<i64>(raw);
  const classes = runWord(RunField.Classes);
  if (value < 0 || value >= <i64>classes) {
    begin(textOf(path), lengthOf(path), 'label ');
    if (value < 0) text('-');
    number(value < 0 ? <u64>-value : <u64>value);
    text(' of picture ');
    number(index);
    text(' is a class that the program lacks: it was packed for ');
    number(classes);
    text(', 0 to ');
    number(classes - 1);
    finish('s2a.wasm info names them; pack with pictures of every class');
  }
  return <i32>value;
}

/** Reads `n` bytes of a picture, from `from` on. */
function readPicture(part: u32, index: u32, from: usize, p: usize, n: usize): void {
  const record = at(part);
  const bytes = values() * load<u32>(record, 16);
  const path = imagePath(part);
  need(readAt(load<u32>(record), load<u64>(record, 8) + <u64>index * bytes + from, p, n), textOf(path), lengthOf(path));
}

/** Puts a picture into row `row` of the pictures' port; bytes become f32 where the program takes those. */
function readInto(part: u32, index: u32, row: u32): void {
  const n = values();
  const wanted = runWord(RunField.PixelBytes);
  const target = port(Io.Pictures) + <usize>row * n * wanted;
  if (load<u32>(at(part), 16) == wanted) {
    readPicture(part, index, 0, target, n * wanted);
    return;
  }
  // The bytes lie in the last quarter of the row until they are spread over it.
  const source = target + 3 * n;
  readPicture(part, index, 0, source, n);
  for (let i: usize = 0; i < n; i++) store<f32>(target + (i << 2), <f32>load<u8>(source + i));
}

/** One row of the ports: picture `index` with its label. */
export function fillRow(part: u32, index: u32, row: u32): void {
  readInto(part, index, row);
  store<i32>(port(Io.Labels) + (row << 2), labelOf(part, index));
}
/** The same for a picture whose label nobody knows. */
export function fillUnlabelled(part: u32, index: u32, row: u32): void {
  readInto(part, index, row);
}

/** Marks every row as padding. */
export function clearLabels(): void {
  memory.fill(port(Io.Labels), 0xff, (<usize>runWord(RunField.MicroBatch)) << 2);
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
 * parts the count, then of each picture the SHA-256 of its pixels and the label.
 */
export function digestData(out: usize): void {
  shaBegin(outer);
  for (let part = LEARN; part <= JUDGE; part++) {
    const count = countOf(part);
    clearClasses(current, part);
    store<u32>(raw, count);
    shaAdd(outer, raw, 4);
    for (let i: u32 = 0; i < count; i++) {
      const wanted = labelOf(part, i);
      digestPicture(part, i);
      shaAdd(outer, digest, 32);
      countClass(current, part, wanted);
      store<i32>(raw, wanted);
      shaAdd(outer, raw, 4);
    }
  }
  shaEnd(outer, out);
}

function digestPicture(part: u32, index: u32): void {
  const bytes = load<u32>(at(part), 16);
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
  for (let i: usize = 0; i < n; i++) {
    if (isFinite<f32>(load<f32>(stage() + (i << 2)))) continue;
    begin(textOf(imagePath(part)), lengthOf(imagePath(part)), 'picture ');
    number(index);
    text(' holds a number that is NaN or infinite');
    finish();
  }
}
