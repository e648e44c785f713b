/** A compiled program file, read whole: after `openProgram` every section lies inside the file. What they say is believed after check.ts. */
import { Checkpoint, EpochRecord } from '../../assembly/abi/checkpoint';
import { ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { crc32 } from './crc';
import { closeFile, fileBytes, measure, need, openFile, opened, readAt } from './files';
import { CLASS_BYTES, carve, pagesFor, TENSOR_BYTES, takePages } from './memory';
import { BUDGET, begin, finish } from './refuse';
import { number, text } from './text';

/** Larger than any program: code and tables of the largest model take a few MiB. */
const MOST_BYTES: u64 = 1 << 28;
const MOST_ELEMENTS: u64 = 1 << 40;
const HEADER_BYTES: u32 = ProgramFile.HeaderWords << 2;
const LAST_SECTION: u32 = Section.AdapterOrder;
const MOST_EPOCHS: u32 = Checkpoint.MostEpochs;
const MOST_CLASSES: u32 = 1 << 24;

/** Sections that every program has: the first. */
export const CORE_SECTIONS: u32 = Section.About;
/** Header and sections' list: all that is needed to know how much memory the rest takes. */
const LOOK_WORDS: u32 = ProgramFile.HeaderWords + 3 * LAST_SECTION;

let path: usize = 0;
let pathBytes: usize = 0;
let file: usize = 0;
const look = memory.data(256);
const run = memory.data(16);
/** Address and bytes of each section, by id. */
const sections = memory.data(128);

export function section(id: u32): usize {
  return file + load<u32>(sections + (id << 3));
}
export function sectionBytes(id: u32): u32 {
  return load<u32>(sections + (id << 3), 4);
}
export function headerWord(i: u32): u32 {
  return load<u32>(file + (i << 2));
}
export function layoutWord(i: u32): u32 {
  return load<u32>(section(Section.Layout) + (i << 2));
}
export function linearBytes(): u32 {
  return headerWord(4);
}
/** Whether the program was packed for a board: it then has all the sections. */
export function isPacked(): bool {
  return headerWord(5) == LAST_SECTION;
}
export function runWord(at: u32): u32 {
  return load<u32>(section(Section.Run) + at);
}

/** Begins a sentence about the program. */
export function refuseAt(what: string): void {
  begin(path, pathBytes, what);
}
/** One sentence about the program, exit code 2. */
export function refuse(what: string, hint: string = 'compile it again'): void {
  begin(path, pathBytes, what);
  finish(hint);
}
export function refuseNumber(what: string, got: u64, wanted: string, expected: u64): void {
  begin(path, pathBytes, what);
  text(', got ');
  number(got);
  text(wanted);
  number(expected);
  finish('compile it again');
}

/** Bytes of a section by the list in `look`; 0 where it has none. */
function lookBytes(id: u32): u32 {
  for (let i: u32 = 0, n = min(load<u32>(look, 20), LAST_SECTION); i < n; i++)
    if (load<u32>(look + ((ProgramFile.HeaderWords + 3 * i) << 2)) == id) return load<u32>(look + ((ProgramFile.HeaderWords + 3 * i + 2) << 2));
  return 0;
}
function lookOffset(id: u32): u32 {
  for (let i: u32 = 0, n = min(load<u32>(look, 20), LAST_SECTION); i < n; i++)
    if (load<u32>(look + ((ProgramFile.HeaderWords + 3 * i) << 2)) == id) return load<u32>(look + ((ProgramFile.HeaderWords + 3 * i + 1) << 2));
  return 0;
}

/** Most tensors of one kind that the program names, epochs of its run, and the address of its linear memory where it is given one. */
let tensorCount: u32 = 0;
export let epochCount: u32 = 0;
let classCount: u32 = 0;
export let arena: usize = 0;
/** Room for `tensorCount` records of a tensor's place, for the checkpoint's epochs, and for counts by class (figures.ts). */
export let tensorTable: usize = 0;
export let epochTable: usize = 0;
export let classTable: usize = 0;

/**
 * Reads the file of that path; returns only if it is whole. `withArena`: takes the linear memory that the program asks for too; all the
 * memory that will ever be used is taken here.
 */
export function openProgram(p: usize, n: usize, withArena: bool): void {
  path = p;
  pathBytes = n;
  need(openFile(p, n), p, n);
  const fd = opened;
  need(measure(fd), p, n);
  if (fileBytes < HEADER_BYTES) refuse('is not a program file');
  file = look;
  const lookBytesRead = <usize>min<u64>(fileBytes, LOOK_WORDS << 2);
  need(readAt(fd, 0, look, lookBytesRead), p, n);
  // Looked at before the rest is read, so that a large file of another kind costs nothing.
  if (headerWord(0) != ProgramFile.Magic) refuse('is not a program file');
  if (headerWord(1) != ProgramFile.Version)
    refuseNumber('was compiled for another version of the engine', headerWord(1), ', expected ', ProgramFile.Version);
  if (headerWord(2) != fileBytes) refuseNumber('has the wrong length', fileBytes, ' bytes, expected ', headerWord(2));
  if (fileBytes > MOST_BYTES) refuseNumber('is too large for a program', fileBytes, ' bytes, expected at most ', MOST_BYTES);
  const size = <usize>fileBytes;
  const planned = headerWord(4);
  if (lookBytes(Section.Run) == <u32>RunField.Bytes) {
    const at = <u64>lookOffset(Section.Run) + RunField.Epochs;
    if (at + 16 <= fileBytes) need(readAt(fd, at, run, 16), p, n);
  }
  epochCount = min(load<u32>(run), MOST_EPOCHS);
  classCount = min(load<u32>(run, RunField.Classes), MOST_CLASSES);
  tensorCount = max(lookBytes(Section.Weights) / recordBytes(Section.Weights), lookBytes(Section.Parameters) / recordBytes(Section.Parameters));
  if (<u64>tensorCount * (ParameterWord.Count << 2) > fileBytes) refuse('has a section outside the file');
  const pages = pagesFor(size, tensorCount, epochCount, classCount, withArena ? planned : 0);
  if (!takePages(pages)) {
    begin(path, pathBytes, 'does not fit into the memory that the runtime allows');
    text(', it needs ');
    number(pages << 16);
    text(' bytes in all');
    finish('', BUDGET);
  }
  file = carve(size);
  tensorTable = carve(TENSOR_BYTES * <u64>tensorCount);
  epochTable = carve(<u64>EpochRecord.Bytes * epochCount);
  classTable = carve(CLASS_BYTES * <u64>classCount);
  if (withArena) arena = carve(planned);
  need(readAt(fd, 0, file, size), p, n);
  closeFile(fd);

  const unchecked: usize = ProgramFile.UncheckedWords << 2;
  // The header is checked where it lies now: the file may have changed since the first look.
  if (memory.compare(file, look, lookBytesRead) != 0) refuse('changed while it was read');
  if (headerWord(3) != crc32(file + unchecked, size - unchecked)) refuse('is damaged: its checksum does not match');
  checkSections(<u32>size);
}

/** Sections stand in the file one after the other, each known one exactly once. */
function checkSections(size: u32): void {
  const n = headerWord(5);
  if (n != LAST_SECTION && n != CORE_SECTIONS) refuseNumber('has the wrong number of sections', n, ', expected ', CORE_SECTIONS);
  let free: u64 = <u64>(ProgramFile.HeaderWords + 3 * n) << 2;
  if (free > size) refuse('has a section outside the file');
  for (let i: u32 = 0; i < n; i++) {
    const at = ProgramFile.HeaderWords + 3 * i;
    const id = headerWord(at);
    const offset = headerWord(at + 1);
    const length = headerWord(at + 2);
    if (id == 0 || id > n || load<u32>(sections + (id << 3)) != 0) refuse('has an unknown or a repeated section');
    if ((offset & 3) != 0 || offset < free || <u64>offset + length > size) refuse('has a section outside the file');
    free = <u64>offset + length;
    store<u32>(sections + (id << 3), offset);
    store<u32>(sections + (id << 3), length, 4);
  }
}

export function countLines(id: u32): u32 {
  const start = section(id);
  const end = start + sectionBytes(id);
  let n = <u32>(end > start);
  for (let p = start; p < end; p++) n += <u32>(load<u8>(p) == 0x0a);
  return n;
}

export function recordBytes(id: u32): u32 {
  return id == Section.Weights ? WeightWord.Count << 2 : ParameterWord.Count << 2;
}

export function countRecords(id: u32): u32 {
  return sectionBytes(id) / recordBytes(id);
}

/** Numbers in all tensors of the list. */
export function countElements(id: u32): u64 {
  let sum: u64 = 0;
  for (let i: u32 = 0, n = countRecords(id); i < n; i++)
    sum += product(section(id) + i * recordBytes(id) + (WeightWord.D0 << 2), 3);
  return sum;
}

/** Product of n words at p; 0 where one is 0 or it is more than any tensor has. */
export function product(p: usize, n: u32): u64 {
  let result: u64 = 1;
  for (let i: u32 = 0; i < n; i++) {
    const size = <u64>load<u32>(p + (i << 2));
    if (size == 0 || result > MOST_ELEMENTS / size) return 0;
    result *= size;
  }
  return result;
}

/** Address of a port in the linear memory, as an offset; 0 where the program has none. */
export function portOffset(port: u32): u32 {
  const at = findPort(port);
  return at == 0 ? 0 : load<u32>(at, 4);
}
export function portBytes(port: u32): u32 {
  const at = findPort(port);
  return at == 0 ? 0 : load<u32>(at, 8);
}
function findPort(port: u32): usize {
  const list = section(Section.Io);
  for (let at: u32 = 0, n = sectionBytes(Section.Io); at < n; at += 12) if (load<u32>(list + at) == port) return list + at;
  return 0;
}

/** Line `i` of a section of lines: its address into `lineAt`, its bytes are returned. */
export let lineAt: usize = 0;
export function lineBytes(id: u32, i: u32): usize {
  let p = section(id);
  const end = p + sectionBytes(id);
  for (; i > 0 && p < end; p++) i -= <u32>(load<u8>(p) == 0x0a);
  lineAt = p;
  while (p < end && load<u8>(p) != 0x0a) p++;
  return p - lineAt;
}
