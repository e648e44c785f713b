/** A program file, read whole: after `openProgram` everything in it is as assembly/formats/program.ts wants it. */
import { Checkpoint } from '../../assembly/abi/checkpoint';
import { Instruction } from '../../assembly/abi/ops';
import { LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { crc32 } from '../../assembly/digest/crc';
import * as checked from '../../assembly/formats/program';
import { closeFile, fileBytes, measure, need, openFile, opened, readAt } from './files';
import { CLASS_BYTES, carve, headBytes, pagesFor, TENSOR_BYTES, takePages } from './memory';
import { BUDGET, begin, finish, refuseNumbers } from './refuse';
import { bytes, number, text } from './text';
import { words } from './words';

/** Larger than any program: code and tables of the largest model take a few MiB. */
const MOST_BYTES: u64 = 1 << 28;
const MOST_EPOCHS: u32 = Checkpoint.MostEpochs;
const MOST_CLASSES: u32 = 1 << 24;
const HINT = 'compile it again';
/** Header and sections' list: all that is needed to know how much memory the rest takes. */
const LOOK_WORDS: u32 = ProgramFile.HeaderWords + 3 * Section.AdapterOrder;

let path: usize = 0;
let pathBytes: usize = 0;
let file: usize = 0;
const look = memory.data(256);
const run = memory.data(16);

export function section(id: u32): usize {
  return file + <usize>checked.sectionStart(id);
}
export function sectionBytes(id: u32): u32 {
  return <u32>checked.sectionBytes(id);
}
export function headerWord(i: u32): u32 {
  return load<u32>(file + (i << 2));
}
export function layoutWord(i: u32): u32 {
  return load<u32>(section(Section.Layout) + (i << 2));
}
/** Whether the program was packed for a board: it then has all the sections. */
export function isPacked(): bool {
  return headerWord(5) == Section.AdapterOrder;
}
export function runWord(at: u32): u32 {
  return load<u32>(section(Section.Run) + at);
}

/** One sentence about the program, exit code 2. */
export function refuse(what: string, hint: string = HINT): void {
  begin(path, pathBytes, what);
  finish(hint);
}

/** Epochs of the run, and the address of its linear memory where it is given one. */
export let epochCount: u32 = 0;
export let arena: usize = 0;
/** Room for records of every tensor's place, for what a run remembers, and for counts by class (assembly/runner/run.ts). */
export let tensorTable: usize = 0;
export let runHead: usize = 0;
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
  if (fileBytes < <u64>(ProgramFile.HeaderWords << 2)) refuse('is not a program file');
  file = look;
  const lookBytes = <usize>min<u64>(fileBytes, LOOK_WORDS << 2);
  need(readAt(fd, 0, look, lookBytes), p, n);
  // Looked at before the rest is read, so that a large file of another kind costs nothing.
  if (headerWord(0) != ProgramFile.Magic) refuse('is not a program file');
  if (headerWord(1) != ProgramFile.Version)
    refuseNumbers(p, n, 'was compiled for another version of the engine', headerWord(1), ProgramFile.Version, HINT);
  if (headerWord(2) != fileBytes) refuseNumbers(p, n, 'has the wrong length', fileBytes, headerWord(2), HINT);
  if (fileBytes > MOST_BYTES) refuseNumbers(p, n, 'is too large for a program', fileBytes, MOST_BYTES, HINT);
  checked.openSections(words, look);
  takeMemory(fd, withArena);
  need(readAt(fd, 0, file, <usize>fileBytes), p, n);
  closeFile(fd);
  // The header is checked where it lies now: the file may have changed since the first look.
  if (memory.compare(file, look, lookBytes) != 0) refuse('changed while it was read');
  const unchecked: usize = ProgramFile.UncheckedWords << 2;
  if (headerWord(3) != crc32(file + unchecked, <usize>fileBytes - unchecked)) refuse('is damaged: its checksum does not match');
  if (!checked.checkProgram(words, file, <f64>fileBytes, words, tensorTable)) refuseFault();
}

/** By what the first look says. */
function takeMemory(fd: u32, withArena: bool): void {
  const size = <usize>fileBytes;
  const planned = withArena ? headerWord(4) : 0;
  const at = <u64>(section(Section.Run) - file) + RunField.Epochs;
  if (sectionBytes(Section.Run) == <u32>RunField.Bytes && at + 16 <= fileBytes) need(readAt(fd, at, run, 16), path, pathBytes);
  epochCount = min(load<u32>(run), MOST_EPOCHS);
  const classes = min(load<u32>(run, RunField.Classes), MOST_CLASSES);
  const tensors = max(countRecords(Section.Weights), countRecords(Section.Parameters));
  if (<u64>tensors * (ParameterWord.Count << 2) > fileBytes) refuse('has a section outside the file');
  const pages = pagesFor(size, tensors, epochCount, classes, planned);
  if (!takePages(pages)) {
    begin(path, pathBytes, 'does not fit into the memory that the runtime allows, it needs ');
    number(pages << 16);
    text(' bytes in all');
    finish('', BUDGET);
  }
  file = carve(size);
  tensorTable = carve(TENSOR_BYTES * <u64>tensors);
  runHead = carve(headBytes(epochCount));
  classTable = carve(CLASS_BYTES * <u64>classes);
  if (withArena) arena = carve(planned);
}

/** Ends the program with what is wrong with the file. */
function refuseFault(): void {
  begin(path, pathBytes, checked.fault);
  if (checked.names != 0) {
    text(': ');
    const n = lineBytes(<u32>checked.names, <u32>checked.nameLine);
    bytes(lineAt, n);
  }
  if (checked.argument >= 0) {
    text(', operator ');
    number(<u64>checked.operator);
    text(', argument ');
    number(<u64>checked.argument);
  }
  if (checked.got >= 0) {
    text(', got ');
    number(<u64>checked.got);
    text(', expected ');
    number(<u64>checked.expected);
  }
  finish(HINT);
}

/** Instructions of a phase. */
export function instructionsOf(phase: u32): u32 {
  const image = section(Section.Image) - layoutWord(LayoutWord.ProgramOffset);
  const end = image + layoutWord(LayoutWord.Entries + 2 * phase + 1);
  let n: u32 = 0;
  for (let p = image + layoutWord(LayoutWord.Entries + 2 * phase); p < end; p += (<usize>load<u32>(p, Instruction.Words << 2)) << 2) n++;
  return n;
}

export function countLines(id: u32): u32 {
  return <u32>checked.countLines(id);
}
export function recordBytes(id: u32): u32 {
  return id == Section.Weights ? WeightWord.Count << 2 : ParameterWord.Count << 2;
}
export function countRecords(id: u32): u32 {
  return sectionBytes(id) / recordBytes(id);
}
/** A record of the list. */
export function recordOf(id: u32, i: u32): usize {
  return section(id) + i * recordBytes(id);
}
/** Numbers in a tensor. */
export function elements(record: usize): u64 {
  return <u64>load<u32>(record, WeightWord.D0 << 2) * load<u32>(record, WeightWord.D1 << 2) * load<u32>(record, WeightWord.D2 << 2);
}

/** A port's place in the linear memory; 0 where the program has none. */
export function portOffset(port: u32): u32 {
  return <u32>checked.port(port, true);
}
export function portBytes(port: u32): u32 {
  return <u32>checked.port(port, false);
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
