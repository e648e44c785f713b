/**
 * A compiled program file, read whole and checked: after `readProgram` every section lies inside the file, every record inside
 * the linear memory that the file asks for, and every phase is a chain of whole instructions. Nothing in a file is trusted before.
 */
import { Checkpoint, EpochRecord } from '../../assembly/abi/checkpoint';
import { Head, State } from '../../assembly/abi/head';
import { Instruction } from '../../assembly/abi/ops';
import { Io, LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Encoding } from '../../assembly/abi/weights';
import { LAST_OP } from '../../assembly/dispatch';
import { codedBytes } from '../../src/groups';
import { keepsWithin } from '../../src/program/extents/index';
import { allow, fault } from '../../src/program/extents/touch';
import { crc32 } from './crc';
import { closeFile, fileBytes, measure, need, openFile, opened, readAt } from './files';
import { carve, pagesFor, TENSOR_BYTES, takePages } from './memory';
import { BUDGET, begin, finish } from './refuse';
import { argumentCount } from './signature';
import { bytes, number, text } from './text';

/** Larger than any program: code and tables of the largest model take a few MiB. */
const MOST_BYTES: u64 = 1 << 28;
const PAGE: u32 = 65536;
const PHASES: u32 = 4;
const INIT: u32 = 0;
const MOST_THREADS: u32 = 256;
/** Scratch that files are read through. */
const LEAST_SCRATCH: u32 = 1024;
const STATE_BYTES: u32 = State.Bytes;
const MOST_RANK: u32 = 4;
const MOST_ELEMENTS: u64 = 1 << 40;
const MOST_CODED: u64 = 1 << 30;
const HEADER_BYTES: u32 = ProgramFile.HeaderWords << 2;
const LEAST_INSTRUCTION: u32 = Instruction.Arguments;
const LAST_SECTION: u32 = Section.AdapterOrder;
const MOST_EPOCHS: u32 = Checkpoint.MostEpochs;
const FIRST_ADDRESS: u32 = Head.Bytes;

/** Sections that every program has: the first. */
export const CORE_SECTIONS: u32 = Section.About;
/** Header and sections' list: all that is needed to know how much memory the rest takes. */
const LOOK_WORDS: u32 = ProgramFile.HeaderWords + 3 * LAST_SECTION;

let path: usize = 0;
let pathBytes: usize = 0;
let file: usize = 0;
const look = memory.data(256);
const epochs = memory.data(4);
/** Address and bytes of each section, by id. */
const sections = memory.data(128);
/** Instructions of each phase. */
const instructions = memory.data(16);

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

/** One sentence about the program, exit code 2. */
export function refuse(what: string, hint: string = 'compile it again'): void {
  begin(path, pathBytes, what);
  finish(hint);
}
function refuseNumber(what: string, got: u64, wanted: string, expected: u64): void {
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
export let arena: usize = 0;
/** Room for `tensorCount` records of a tensor's place, and for the checkpoint's epochs. */
export let tensorTable: usize = 0;
export let epochTable: usize = 0;

/**
 * Reads and checks the file of that path; returns only if everything is in order. `withArena`: takes the linear memory that the
 * program asks for too; all the memory that will ever be used is taken here.
 */
export function readProgram(p: usize, n: usize, withArena: bool): void {
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
    if (at + 4 <= fileBytes) need(readAt(fd, at, epochs, 4), p, n);
  }
  epochCount = min(load<u32>(epochs), MOST_EPOCHS);
  tensorCount = max(lookBytes(Section.Weights) / recordBytes(Section.Weights), lookBytes(Section.Parameters) / recordBytes(Section.Parameters));
  if (<u64>tensorCount * (ParameterWord.Count << 2) > fileBytes) refuse('has a section outside the file');
  const pages = pagesFor(size, tensorCount, epochCount, withArena ? planned : 0);
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
  if (withArena) arena = carve(planned);
  need(readAt(fd, 0, file, size), p, n);
  closeFile(fd);

  const unchecked: usize = ProgramFile.UncheckedWords << 2;
  // The header is checked where it lies now: the file may have changed since the first look.
  if (memory.compare(file, look, lookBytesRead) != 0) refuse('changed while it was read');
  if (headerWord(3) != crc32(file + unchecked, size - unchecked)) refuse('is damaged: its checksum does not match');
  checkSections(<u32>size);
  checkLayout();
  checkPhases();
  checkRecords(Section.Weights, 'a weight lies outside the linear memory or its tensor');
  checkRecords(Section.Parameters, 'a parameter lies outside the linear memory');
  checkIo();
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

function isInside(offset: u32, length: u64): bool {
  return offset >= FIRST_ADDRESS && offset + length <= linearBytes();
}

function checkLayout(): void {
  const memory = linearBytes();
  if (memory == 0 || memory % PAGE != 0) refuse('asks for a linear memory that is not whole pages');
  if (sectionBytes(Section.Layout) != LayoutWord.Count << 2) refuse('has a layout of the wrong size');
  const threads = layoutWord(LayoutWord.MaxThreads);
  const scratch = <u64>layoutWord(LayoutWord.ScratchBytes) * threads;
  if (threads == 0 || threads > MOST_THREADS) refuseNumber('has the wrong number of threads', threads, ', expected at most ', MOST_THREADS);
  const image = layoutWord(LayoutWord.ProgramOffset);
  const region = layoutWord(LayoutWord.RegionOffset);
  const scratchOffset = layoutWord(LayoutWord.ScratchOffset);
  const imageBytes = sectionBytes(Section.Image);
  const regionBytes = layoutWord(LayoutWord.RegionBytes);
  if (!isInside(image, imageBytes) || !isInside(region, regionBytes) || !isInside(scratchOffset, scratch))
    refuse('has a layout outside the linear memory');
  if (((image | imageBytes | region | regionBytes | scratchOffset | <u32>scratch) & 15) != 0) refuse('has a layout that is not aligned');
  if (
    overlap(image, imageBytes, region, regionBytes) ||
    overlap(image, imageBytes, scratchOffset, scratch) ||
    overlap(region, regionBytes, scratchOffset, scratch)
  )
    refuse('has a layout that overlaps itself');
  // The order in which the extents of instructions are bounded (src/program/extents).
  if (image + imageBytes > region || region + regionBytes > scratchOffset) refuse('has a layout out of order');
  const perThread = layoutWord(LayoutWord.ScratchBytes);
  if (perThread < LEAST_SCRATCH || (perThread & 15) != 0 || regionBytes < STATE_BYTES) refuse('has no scratch or no state block');
}

function overlap(a: u32, aBytes: u64, b: u32, bBytes: u64): bool {
  return a < b + bBytes && b < a + aBytes;
}

/** The phases lie in the image, whole instructions fill them, and these bear the nodes' numbers one after the other. */
function checkPhases(): void {
  let node: u32 = 0;
  for (let phase: u32 = 0; phase < PHASES; phase++) {
    const n = countInstructions(phase, node);
    if (n < 0) refuse('has broken instructions');
    node += n;
  }
  const names = countLines(Section.Symbols);
  if (names != node) refuseNumber('has the wrong number of names for its instructions', names, ', expected ', node);
}

/** Instructions of a phase whose first is that of the given node; -1 where something is wrong with them. */
function countInstructions(phase: u32, node: u32): i32 {
  const offset = layoutWord(LayoutWord.ProgramOffset);
  const start = layoutWord(LayoutWord.Entries + 2 * phase);
  const end = layoutWord(LayoutWord.Entries + 2 * phase + 1);
  if (start < offset || end < start || <u64>end - offset > sectionBytes(Section.Image) || ((start | end) & 3) != 0) return -1;
  const region = layoutWord(LayoutWord.RegionOffset);
  const writable = phase == INIT ? offset + sectionBytes(Section.Image) : region;
  allow(offset, writable, region, layoutWord(LayoutWord.ScratchOffset), layoutWord(LayoutWord.ScratchBytes));
  let n = 0;
  let left = (end - start) >> 2;
  let p = section(Section.Image) + (start - offset);
  while (left > 0) {
    if (left < LEAST_INSTRUCTION) return -1;
    const op = load<u32>(p, Instruction.Op << 2);
    const words = load<u32>(p, Instruction.Words << 2);
    if (op == 0 || op > <u32>LAST_OP || words != LEAST_INSTRUCTION + argumentCount(op) || words > left) return -1;
    if (load<u32>(p, Instruction.Node << 2) != node + n || load<u32>(p, Instruction.Barrier << 2) > 1) return -1;
    given = p + (Instruction.Arguments << 2);
    if (!keepsWithin(op, argument)) refuseArgument(op, node + n);
    p += <usize>words << 2;
    left -= words;
    n++;
  }
  store<u32>(instructions + (phase << 2), n);
  return n;
}

/** Arguments of the instruction that is looked at. */
let given: usize = 0;
function argument(i: i32): f64 {
  return <f64>load<i32>(given + (<usize>i << 2));
}

function refuseArgument(op: u32, node: u32): void {
  const length = lineBytes(Section.Symbols, node);
  begin(path, pathBytes, 'node ');
  bytes(lineAt, length);
  text(' (operator ');
  number(op);
  text(') has an argument, number ');
  number(<u64>fault);
  text(', that goes beyond what it may touch');
  finish('compile it again');
}

export function instructionsOf(phase: u32): u32 {
  return load<u32>(instructions + (phase << 2));
}

export function countLines(id: u32): u32 {
  const start = section(id);
  const end = start + sectionBytes(id);
  let n = <u32>(end > start);
  for (let p = start; p < end; p++) n += <u32>(load<u8>(p) == 0x0a);
  return n;
}

/** Both kinds of records begin alike: name, offset, start or gradient, dims, strides, rank, shape. */
function checkRecords(id: u32, what: string): void {
  if (sectionBytes(id) % recordBytes(id) != 0) refuse('has a broken list of tensors');
  const names = countLines(Section.Names);
  for (let i: u32 = 0, n = countRecords(id); i < n; i++) {
    const p = section(id) + i * recordBytes(id);
    const rank = load<u32>(p, WeightWord.Rank << 2);
    if (load<u32>(p, WeightWord.Name << 2) >= names) refuse('has a tensor without a name');
    const elements = product(p + (WeightWord.D0 << 2), 3);
    const bytes = id == Section.Weights ? weightBytes(p, elements) : elements << 2;
    // The strides lay the elements without gaps.
    if (elements == 0 || reach(p) != elements || rank > MOST_RANK) refuse(what);
    const offset = load<u32>(p, WeightWord.Offset << 2);
    if (id == Section.Weights) {
      const whole = product(p + (WeightWord.Shape << 2), rank);
      if (!isData(offset, bytes) || load<u32>(p, WeightWord.Start << 2) + elements > whole) refuse(what);
    } else {
      const gradient = load<u32>(p, ParameterWord.Gradient << 2);
      if (!isLearnt(offset, bytes) || (gradient != 0 && !isLearnt(gradient, bytes))) refuse(what);
    }
  }
}

/** Aligned, behind the program and before the scratch. */
function isData(offset: u32, length: u64): bool {
  const first = layoutWord(LayoutWord.ProgramOffset) + sectionBytes(Section.Image);
  return (offset & 15) == 0 && offset >= first && offset + length <= layoutWord(LayoutWord.ScratchOffset);
}

/** Aligned, in the checkpoint region behind the state block. */
function isLearnt(offset: u32, length: u64): bool {
  const region = layoutWord(LayoutWord.RegionOffset);
  return (offset & 15) == 0 && offset >= region + STATE_BYTES && offset + length <= <u64>region + layoutWord(LayoutWord.RegionBytes);
}

/** Bytes that a weight takes in the arena (abi/weights.ts); where its encoding is unknown more than there is. */
function weightBytes(p: usize, elements: u64): u64 {
  const o = <u64>load<u32>(p, WeightWord.D0 << 2);
  const encoding = load<u32>(p, WeightWord.Encoding << 2);
  if (encoding == Encoding.F32 || o == 0) return elements << 2;
  // By channels of which a row is read at once: its bytes are a u32 (weights.ts).
  if (encoding > <u32>Encoding.Int12 || elements > MOST_CODED || !isByRow(p)) return u64.MAX_VALUE >> 1;
  return <u64>codedBytes(encoding, <f64>o, <f64>(elements / o));
}

/** Whether the channels of a record lie one after the other, each laid out alike. */
function isByRow(p: usize): bool {
  const n1 = <u64>load<u32>(p, WeightWord.D1 << 2);
  const n2 = <u64>load<u32>(p, WeightWord.D2 << 2);
  const row = (n1 - 1) * load<u32>(p, WeightWord.S1 << 2) + (n2 - 1) * load<u32>(p, WeightWord.S2 << 2);
  return load<u32>(p, WeightWord.S0 << 2) == n1 * n2 && row == n1 * n2 - 1;
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
function product(p: usize, n: u32): u64 {
  let result: u64 = 1;
  for (let i: u32 = 0; i < n; i++) {
    const size = <u64>load<u32>(p + (i << 2));
    if (size == 0 || result > MOST_ELEMENTS / size) return 0;
    result *= size;
  }
  return result;
}

/** One past the last element that a record touches, counted from its first; 0 where that is nowhere. */
function reach(p: usize): u64 {
  let last: u64 = 0;
  for (let axis: u32 = 0; axis < 3; axis++) {
    const size = load<u32>(p + ((WeightWord.D0 + axis) << 2));
    if (size == 0) return 0;
    const step = <u64>(size - 1) * load<u32>(p + ((WeightWord.S0 + axis) << 2));
    if (step > 0xffffffff) return 0;
    last += step;
  }
  return last + 1;
}

function checkIo(): void {
  const list = section(Section.Io);
  const n = sectionBytes(Section.Io);
  if (n % 12 != 0) refuse('has a broken list of ports');
  for (let at: u32 = 0; at < n; at += 12) {
    const port = load<u32>(list + at);
    if (port < <u32>Io.Pictures || port > <u32>Io.State || !isData(load<u32>(list + at, 4), load<u32>(list + at, 8)))
      refuse('has a port outside the linear memory');
  }
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
