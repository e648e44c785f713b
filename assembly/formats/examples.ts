/**
 * Examples and their targets in a pair of arrays: examples [N,H,W,C] of uint8 or f32 (the same numbers); classes [N] of whole numbers, or where the task
 * is not one class of several targets [N,n] of f32. They are held against a packed program, whose sections are open. Written in what both languages share.
 */
import { Section } from '../abi/program.ts';
import { RunField } from '../abi/run.ts';
import { Answer, targetBytes } from '../abi/task.ts';
import { Files } from './files.ts';
import { axes, axis, dataOffset, Kind, kind, size } from './npy.ts';
import { channelCount, runWord, sectionBytes, sectionWord } from './sections.ts';
import { Words } from './words.ts';

const MOST: number = 2147483647;

/** A part whose arrays are open: the numbers of its files, where their elements begin, bytes of a channel, what labels are and their bytes, how many. */
export class Examples {
  images: number = 0;
  labels: number = 0;
  imagesAt: number = 0;
  labelsAt: number = 0;
  channelBytes: number = 0;
  labelKind: Kind = Kind.Uint;
  labelBytes: number = 0;
  count: number = 0;
  /** Eight bytes of its own, through which labels are read. */
  rawAt: number = 0;
}

/** Numbers of one example: H·W·C. */
export function valuesOfOne(): number {
  return runWord(RunField.Height) * runWord(RunField.Width) * channelCount();
}
/** Bytes of one example's targets. */
export function targetSize(): number {
  return targetBytes(runWord(RunField.Answer), runWord(RunField.Classes));
}

/** Whether the array whose head was read last has the shape of examples. */
export function hasShape(): boolean {
  return axes === 4 && axis(1) === runWord(RunField.Height) && axis(2) === runWord(RunField.Width) && axis(3) === channelCount();
}

/** Takes that array, of that shape, as a part's examples. */
export function takeImages(files: Files, part: Examples, mayBeEmpty: boolean): void {
  const isBytes = kind === Kind.Uint && size === 1;
  const file = part.images;
  if (!isBytes && !(kind === Kind.Float && size === 4))
    files.refuse(file, 'has the wrong element type, expected uint8 or float32', '', 0, 0, 0);
  if (!isBytes && runWord(RunField.PixelBytes) === 1)
    files.refuse(file, 'holds float32, but the program was packed for uint8 pictures', 'pack with --pixels f32', 0, 0, 0);
  if ((axis(0) === 0 && !mayBeEmpty) || axis(0) > MOST) files.refuse(file, 'holds no pictures', '', 0, 0, 0);
  part.imagesAt = dataOffset;
  part.channelBytes = size;
  part.count = axis(0);
}

/** Takes the array whose head was read last as a part's targets, a row for each example. */
export function takeLabels(files: Files, part: Examples): void {
  const outputs = runWord(RunField.Classes);
  const isClass = runWord(RunField.Answer) === Answer.Class;
  const file = part.labels;
  if (isClass && kind === Kind.Float) files.refuse(file, 'holds numbers that are not whole', '', 0, 0, 0);
  if (!isClass && (kind !== Kind.Float || size !== 4 || axes !== 2 || axis(1) !== outputs)) {
    const what = 'does not hold the targets of this task, expected float32 [N, #], in the order in which info names them';
    files.refuse(file, what, '', outputs, 0, 0);
  }
  if ((isClass && axes !== 1) || axis(0) !== part.count) {
    const what = 'has another number of labels than there are pictures, got #, expected #';
    files.refuse(file, what, '', axes === 0 ? 0 : axis(0), part.count, 0);
  }
  part.labelsAt = dataOffset;
  part.labelKind = kind;
  part.labelBytes = size;
}

/** Puts an example's targets at `at`, as the port has them; one that its task does not know is refused. */
export function readTargets(files: Files, part: Examples, index: number, words: Words, at: number): void {
  const answer = runWord(RunField.Answer);
  if (answer === Answer.Class) {
    words.setU32(at, classOf(files, part, index, words));
    return;
  }
  const n = targetSize();
  files.read(part.labels, part.labelsAt + index * n, at, n);
  for (let i: number = 0; i < n; i += 4) {
    const value = words.f32(at + i);
    if (answer === Answer.Numbers && !isFinite(value))
      files.refuse(part.labels, 'the targets of picture # are not all finite numbers', '', index, 0, 0);
    if (answer === Answer.Labels && !(value >= 0 && value <= 1))
      files.refuse(part.labels, 'the targets of picture # are not all from 0 to 1', '', index, 0, 0);
  }
}

/** The class of an example; a number that is no class is refused. */
export function classOf(files: Files, part: Examples, index: number, words: Words): number {
  const bytes = part.labelBytes;
  files.read(part.labels, part.labelsAt + index * bytes, part.rawAt, bytes);
  const isNegative = part.labelKind === Kind.Int && words.u8(part.rawAt + bytes - 1) > 127;
  let value: number = 0;
  for (let i = bytes - 1; i >= 0; i--) {
    const byte = words.u8(part.rawAt + i);
    value = value * 256 + (isNegative ? 255 - byte : byte);
  }
  const rows = sectionBytes(Section.Rows) / 4;
  const classes = rows > 0 ? rows : runWord(RunField.Classes);
  if (!isNegative && value < classes) return rows > 0 ? sectionWord(Section.Rows, value) : value;
  const what = 'label # of picture # is a class that the program lacks: it was packed for #';
  files.refuse(part.labels, what, HINT, isNegative ? -1 - value : value, index, classes);
  return 0;
}
const HINT = 's2a.wasm info names them; pack with pictures of every class';

/** Reads so many bytes of an example, from `from` on. */
export function readImage(files: Files, part: Examples, index: number, from: number, at: number, bytes: number): void {
  files.read(part.images, part.imagesAt + index * valuesOfOne() * part.channelBytes + from, at, bytes);
}

/** Puts an example where the port has room for it: bytes become f32 where the program takes those. */
export function readInto(files: Files, part: Examples, index: number, words: Words, at: number): void {
  const n = valuesOfOne();
  const wanted = runWord(RunField.PixelBytes);
  if (part.channelBytes === wanted) {
    readImage(files, part, index, 0, at, n * wanted);
    return;
  }
  // The bytes lie in the last quarter of the row until they are spread over it.
  const source = at + 3 * n;
  readImage(files, part, index, 0, source, n);
  for (let i: number = 0; i < n; i++) words.setF32(at + 4 * i, words.u8(source + i));
}

/** SHA-256 of an example to `out`, read through a stage of `room` bytes; a number that is none is refused. */
export function digestOf(files: Files, part: Examples, index: number, words: Words, stage: number, room: number, out: number): void {
  const total = valuesOfOne() * part.channelBytes;
  const most = room - (room % 4);
  files.beginDigest(1);
  for (let from: number = 0; from < total; from += most) {
    const n = Math.min(most, total - from);
    readImage(files, part, index, from, stage, n);
    files.addDigest(1, stage, n);
    if (part.channelBytes === 1) continue;
    for (let i: number = 0; i < n; i += 4)
      if (!isFinite(words.f32(stage + i))) files.refuse(part.images, 'picture # holds a number that is NaN or infinite', '', index, 0, 0);
  }
  files.endDigest(1, out);
}
