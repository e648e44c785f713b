/** A program file, read whole: after `openProgram` everything in it is as assembly/formats/program.ts wants it. */
import { Checkpoint } from '../../assembly/abi/checkpoint';
import { ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { crc32 } from '../../assembly/digest/crc';
import * as checked from '../../assembly/formats/program';
import * as sections from '../../assembly/formats/sections';
import { closeFile, fileBytes, needBytes, needFile } from './files';
import { CLASS_BYTES, carve, headBytes, pagesFor, TENSOR_BYTES, takePages } from './memory';
import { setPath } from './path';
import { BUDGET, begin, fail, finish, refuse } from './refuse';
import { say, select } from './text';
import { words } from './words';

/** Larger than any program: code and tables of the largest model take a few MiB. */
const MOST_BYTES: u64 = 1 << 28;
const MOST_EPOCHS: u32 = Checkpoint.MostEpochs;
const MOST_CLASSES: u32 = 1 << 24;
const HINT = 'compile it again';
/** Header and sections' list: all that is needed to know how much memory the rest takes. */
const LOOK_WORDS: u32 = ProgramFile.HeaderWords + 3 * Section.Rows;

const path = memory.data(1024);
let file: usize = 0;
const look = memory.data(256);
const run = memory.data(16);

export function section(id: u32): usize {
  return <usize>sections.sectionAt(id);
}
export function sectionBytes(id: u32): u32 {
  return <u32>sections.sectionBytes(id);
}
export function headerWord(i: u32): u32 {
  return <u32>sections.headerWord(i);
}
export function layoutWord(i: u32): u32 {
  return <u32>sections.layoutWord(i);
}
/** Whether the program was packed for a board: it then has all the sections. */
export function isPacked(): bool {
  return headerWord(5) == Section.Rows;
}
export function runWord(at: u32): u32 {
  return <u32>sections.runWord(at);
}

/** One sentence about the program, exit code 2. */
export function refuseProgram(form: string, hint: string = HINT, a: f64 = 0, b: f64 = 0): void {
  refuse(path, form, hint, a, b);
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
  setPath(path, p, n);
  const fd = needFile(path);
  if (fileBytes < <u64>(ProgramFile.HeaderWords << 2)) refuseProgram('is not a program file');
  sections.openSections(words, look);
  const lookBytes = <usize>min<u64>(fileBytes, LOOK_WORDS << 2);
  needBytes(fd, 0, look, lookBytes, path);
  // Looked at before the rest is read, so that a large file of another kind costs nothing.
  if (headerWord(0) != ProgramFile.Magic) refuseProgram('is not a program file');
  const version = headerWord(1);
  const size = <f64>fileBytes;
  if (version != ProgramFile.Version)
    refuseProgram('was compiled for another version of the engine, got #, expected #', HINT, version, ProgramFile.Version);
  if (headerWord(2) != fileBytes) refuseProgram('has the wrong length, got #, expected #', HINT, size, headerWord(2));
  if (fileBytes > MOST_BYTES) refuseProgram('is too large for a program, got #, expected at most #', HINT, size, <f64>MOST_BYTES);
  takeMemory(fd, withArena);
  needBytes(fd, 0, file, <usize>fileBytes, path);
  closeFile(fd);
  // The header is checked where it lies now: the file may have changed since the first look.
  if (memory.compare(file, look, lookBytes) != 0) refuseProgram('changed while it was read');
  const unchecked: usize = ProgramFile.UncheckedWords << 2;
  if (headerWord(3) != crc32(file + unchecked, <usize>fileBytes - unchecked)) refuseProgram('is damaged: its checksum does not match');
  if (!checked.checkProgram(words, file, size, words, tensorTable)) refuseFault();
}

/** By what the first look says. */
function takeMemory(fd: u32, withArena: bool): void {
  const size = <usize>fileBytes;
  const planned = withArena ? headerWord(4) : 0;
  const at = <u64>sections.sectionStart(Section.Run) + RunField.Epochs;
  if (sectionBytes(Section.Run) == <u32>RunField.Bytes && at + 16 <= fileBytes) needBytes(fd, at, run, 16, path);
  epochCount = min(load<u32>(run), MOST_EPOCHS);
  const classes = min(load<u32>(run, RunField.Classes), MOST_CLASSES);
  const tensors = max(countRecords(Section.Weights), countRecords(Section.Parameters));
  if (<u64>tensors * (ParameterWord.Count << 2) > fileBytes) refuseProgram('has a section outside the file');
  const pages = pagesFor(size, tensors, epochCount, classes, planned);
  if (!takePages(pages))
    fail(BUDGET, path, 'does not fit into the memory that the runtime allows, it needs # bytes in all', '', <f64>(pages << 16));
  file = carve(size);
  sections.openSections(words, file);
  tensorTable = carve(TENSOR_BYTES * <u64>tensors);
  runHead = carve(headBytes(epochCount));
  classTable = carve(CLASS_BYTES * <u64>classes);
  if (withArena) arena = carve(planned);
}

/** Ends the program with what is wrong with the file. */
function refuseFault(): void {
  begin(path);
  say(checked.fault);
  if (checked.names != 0) {
    selectLine(<u32>checked.names, <u32>checked.nameLine);
    say(': &');
  }
  if (checked.argument >= 0) say(', operator #, argument #', checked.operator, checked.argument);
  if (checked.got >= 0) say(', got #, expected #', checked.got, checked.expected);
  finish(HINT);
}

export function countRecords(id: u32): u32 {
  return <u32>sections.countRecords(id);
}
/** A record of either list, word by word as WeightWord names them; of a parameter `start` is its gradient, and there is no encoding. */
@unmanaged
export class Tensor {
  name: u32;
  offset: u32;
  start: u32;
  d0: u32;
  d1: u32;
  d2: u32;
  s0: u32;
  s1: u32;
  s2: u32;
  rank: u32;
  shape: u64;
  shapeEnd: u64;
  encoding: u32;
}
if (offsetof<Tensor>('encoding') != WeightWord.Encoding << 2) ERROR('records are laid out otherwise');

export function tensorOf(id: u32, i: u32): Tensor {
  return changetype<Tensor>(<usize>sections.recordAt(id, i));
}
/** Numbers in a tensor. */
export function elements(t: Tensor): u64 {
  return <u64>t.d0 * t.d1 * t.d2;
}

/** A port's place in the linear memory; 0 where the program has none. */
export function portOffset(port: u32): u32 {
  return <u32>sections.port(port, true);
}
export function portBytes(port: u32): u32 {
  return <u32>sections.port(port, false);
}

/** Selects line `i` of a section of lines for `&` of `say`. */
export function selectLine(id: u32, i: u32): void {
  sections.findLine(id, i);
  select(<usize>sections.lineAt, <usize>sections.lineBytes);
}
