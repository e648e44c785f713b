/**
 * What a program file says, held against the memory that it asks for: after `readProgram` every record lies inside it, and every phase is a
 * chain of whole instructions that keep to what they may touch. Nothing in a file is believed before.
 */
import { keepsWithin } from '../../assembly/generated/extents';
import { Head, State } from '../../assembly/abi/head';
import { Instruction } from '../../assembly/abi/ops';
import { Io, LayoutWord, ParameterWord, Section, WeightWord } from '../../assembly/abi/program';
import { codedBytes } from '../../assembly/abi/sizes';
import { allow, fault } from '../../assembly/abi/bounds';
import { Encoding } from '../../assembly/abi/weights';
import { LAST_OP } from '../../assembly/generated/dispatch';
import {
  countLines,
  countRecords,
  layoutWord,
  lineAt,
  lineBytes,
  linearBytes,
  openProgram,
  product,
  recordBytes,
  refuse,
  refuseAt,
  refuseNumber,
  section,
  sectionBytes,
} from './program';
import { finish } from './refuse';
import { argumentCount } from '../../assembly/generated/signature';
import { bytes, number, text } from './text';

const PAGE: u32 = 65536;
const PHASES: u32 = 5;
const INIT: u32 = 0;
const MOST_THREADS: u32 = 256;
/** Scratch that files are read through. */
const LEAST_SCRATCH: u32 = 1024;
const STATE_BYTES: u32 = State.Bytes;
const MOST_RANK: u32 = 4;
const MOST_CODED: u64 = 1 << 30;
const LEAST_INSTRUCTION: u32 = Instruction.Arguments;
const FIRST_ADDRESS: u32 = Head.Bytes;

/** Instructions of each phase. */
const instructions = memory.data(20);

/** Reads and checks the file of that path (openProgram); returns only if everything is in order. */
export function readProgram(p: usize, n: usize, withArena: bool): void {
  openProgram(p, n, withArena);
  checkLayout();
  checkPhases();
  checkRecords(Section.Weights, 'a weight lies outside the linear memory or its tensor');
  checkRecords(Section.Parameters, 'a parameter lies outside the linear memory');
  checkIo();
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
  // One after the other: so nothing overlaps, and the extents of instructions can be bounded (abi/touch.ts).
  if (image + imageBytes > region || region + regionBytes > scratchOffset) refuse('has a layout that overlaps itself or is out of order');
  const perThread = layoutWord(LayoutWord.ScratchBytes);
  if (perThread < LEAST_SCRATCH || (perThread & 15) != 0 || regionBytes < STATE_BYTES) refuse('has no scratch or no state block');
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
  refuseAt('node ');
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

/** Aligned, in the program's own bytes. */
function isInImage(offset: u32, length: u64): bool {
  const first = layoutWord(LayoutWord.ProgramOffset);
  return (offset & 15) == 0 && offset >= first && offset + length <= <u64>first + sectionBytes(Section.Image);
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
    const offset = load<u32>(list + at, 4);
    const bytes = load<u32>(list + at, 8);
    const isGood = port == <u32>Io.Constants ? isInImage(offset, bytes) : isData(offset, bytes);
    if (port < <u32>Io.Pictures || port > <u32>Io.Constants || !isGood)
      refuse('has a port outside the linear memory');
  }
}
