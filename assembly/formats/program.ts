/**
 * What a program file says (abi/program.ts), held against itself and against the memory that it asks for: after `checkProgram` every section lies in
 * the file, every record in the memory, and every phase is a chain of whole instructions that keep to what they may touch (abi/bounds.ts). Nothing in a
 * file is believed before. Length and checksum are the host's to look at. Written in what both languages share, its numbers doubles on either side.
 */
import { Checkpoint } from '../abi/checkpoint.ts';
import { argumentCount, keepsWithin } from '../generated/extents.ts';
import { Head, State } from '../abi/head.ts';
import { Instruction } from '../abi/ops.ts';
import { Io, LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../abi/program.ts';
import { RunField } from '../abi/run.ts';
import { codedBytes } from '../abi/sizes.ts';
import { MOST_CHANNELS } from '../abi/ops/pixels.ts';
import { allow, fault as argumentAtFault } from '../abi/bounds.ts';
import { MOST_BACKS } from '../abi/watch.ts';
import { Answer, Better, targetBytes } from '../abi/task.ts';
import { Encoding } from '../abi/weights.ts';
import {
  ALL_SECTIONS,
  CORE_SECTIONS,
  channelCount,
  countLines,
  headerWord,
  layoutWord,
  listed,
  openSections,
  port,
  runWord,
  sectionAt,
  sectionBytes,
  sectionWord,
} from './sections.ts';
import { Words } from './words.ts';

const PAGE: number = 65536;
const PHASES: number = 5;
const MOST_THREADS: number = 256;
/** Scratch that files are read through. */
const LEAST_SCRATCH: number = 1024;
const MOST_RANK: number = 4;
const MOST_ELEMENTS: number = 1099511627776;
const MOST_CODED: number = 1073741824;
const MOST_BATCH: number = 2147483647;
const MOST_SIDE: number = 4096;

/** What is wrong, and with what: numbers below 0 where there are none, the line of a section of names. */
export let fault: string = '';
export let got: number = -1;
export let expected: number = -1;
export let names: number = 0;
export let nameLine: number = 0;
export let operator: number = 0;
export let argument: number = -1;

let words: Words | null = null;

function refuse(what: string): boolean {
  fault = what;
  return false;
}
function refuseNumber(what: string, found: number, wanted: number): boolean {
  got = found;
  expected = wanted;
  return refuse(what);
}
function refuseNamed(what: string, section: Section, line: number): boolean {
  names = section;
  nameLine = line;
  return refuse(what);
}

/** Looks at the file of so many bytes at `at`; `marks`: room for 16 bytes a parameter. False: `fault` says why. */
export function checkProgram(memory: Words, at: number, size: number, marks: Words, marksAt: number): boolean {
  openSections(memory, at);
  words = memory;
  fault = '';
  got = -1;
  expected = -1;
  names = 0;
  argument = -1;
  if (!(checkSections(size) && checkLayout() && checkPhases())) return false;
  if (!(checkRecords(Section.Weights, WeightWord.Count) && checkRecords(Section.Parameters, ParameterWord.Count) && checkIo()))
    return false;
  return headerWord(5) === CORE_SECTIONS || (checkRun() && checkPorts() && checkAdapter(marks, marksAt));
}

/** Sections stand in the file one after the other, each known one exactly once. */
function checkSections(size: number): boolean {
  const n = headerWord(5);
  if (n !== ALL_SECTIONS && n !== CORE_SECTIONS) return refuseNumber('has the wrong number of sections', n, CORE_SECTIONS);
  let free: number = 4 * (ProgramFile.HeaderWords + 3 * n);
  if (free > size) return refuse('has a section outside the file');
  for (let i: number = 0; i < n; i++) {
    const at = ProgramFile.HeaderWords + 3 * i;
    const id = headerWord(at);
    const offset = headerWord(at + 1);
    if (id === 0 || id > n || listed(id) !== at) return refuse('has an unknown or a repeated section');
    if (offset % 4 !== 0 || offset < free || offset + headerWord(at + 2) > size) return refuse('has a section outside the file');
    free = offset + headerWord(at + 2);
  }
  return true;
}

function isInside(offset: number, bytes: number): boolean {
  return offset >= Head.Bytes && offset + bytes <= headerWord(4);
}

function checkLayout(): boolean {
  const memory = headerWord(4);
  if (memory === 0 || memory % PAGE !== 0) return refuse('asks for a linear memory that is not whole pages');
  if (sectionBytes(Section.Layout) !== 4 * LayoutWord.Count) return refuse('has a layout of the wrong size');
  const threads = layoutWord(LayoutWord.MaxThreads);
  const perThread = layoutWord(LayoutWord.ScratchBytes);
  if (threads === 0 || threads > MOST_THREADS) return refuseNumber('has the wrong number of threads', threads, MOST_THREADS);
  const image = layoutWord(LayoutWord.ProgramOffset);
  const region = layoutWord(LayoutWord.RegionOffset);
  const scratch = layoutWord(LayoutWord.ScratchOffset);
  const imageBytes = sectionBytes(Section.Image);
  const regionBytes = layoutWord(LayoutWord.RegionBytes);
  if (!isInside(image, imageBytes) || !isInside(region, regionBytes) || !isInside(scratch, perThread * threads))
    return refuse('has a layout outside the linear memory');
  const isAligned = image % 16 === 0 && imageBytes % 16 === 0 && region % 16 === 0 && regionBytes % 16 === 0 && scratch % 16 === 0;
  if (!isAligned || (perThread * threads) % 16 !== 0) return refuse('has a layout that is not aligned');
  // One after the other: so nothing overlaps, and the extents of instructions can be bounded.
  if (image + imageBytes > region || region + regionBytes > scratch) return refuse('has a layout that overlaps itself or is out of order');
  if (perThread < LEAST_SCRATCH || perThread % 16 !== 0 || regionBytes < State.Bytes) return refuse('has no scratch or no state block');
  return true;
}

/** The phases lie in the image, whole instructions fill them, and these bear the nodes' numbers one after the other. */
function checkPhases(): boolean {
  let node: number = 0;
  for (let phase: number = 0; phase < PHASES; phase++) {
    const next = checkPhase(phase, node);
    if (next < 0) return false;
    node = next;
  }
  const lines = countLines(Section.Symbols);
  return lines === node ? true : refuseNumber('has the wrong number of names for its instructions', lines, node);
}

/** Where the arguments of the instruction in question stand. */
let given: number = 0;
function argumentOf(i: i32): number {
  const value = words!.u32(given + 4 * i);
  return value < 2147483648 ? value : value - 4294967296;
}

/** The node behind the phase whose first is `node`; -1 where something is wrong with it. */
function checkPhase(phase: number, node: number): number {
  const image = layoutWord(LayoutWord.ProgramOffset);
  const start = layoutWord(LayoutWord.Entries + 2 * phase);
  const end = layoutWord(LayoutWord.Entries + 2 * phase + 1);
  const imageEnd = image + sectionBytes(Section.Image);
  const region = layoutWord(LayoutWord.RegionOffset);
  const isWhole = start >= image && end >= start && end <= imageEnd && start % 4 === 0 && end % 4 === 0;
  if (!isWhole) return broken(phase);
  allow(image, phase === 0 ? imageEnd : region, region, layoutWord(LayoutWord.ScratchOffset), layoutWord(LayoutWord.ScratchBytes));
  let at = sectionAt(Section.Image) + (start - image);
  let left = (end - start) / 4;
  while (left > 0) {
    if (left < Instruction.Arguments) return broken(phase);
    const op = words!.u32(at + 4 * Instruction.Op);
    const length = words!.u32(at + 4 * Instruction.Words);
    const count = argumentCount(op);
    if (count === 0 || length !== Instruction.Arguments + count || length > left) return broken(phase);
    if (words!.u32(at + 4 * Instruction.Node) !== node || words!.u32(at + 4 * Instruction.Barrier) > 1) return broken(phase);
    given = at + 4 * Instruction.Arguments;
    if (!keepsWithin(op as i32, argumentOf)) {
      operator = op;
      argument = argumentAtFault;
      refuseNamed('an instruction has an argument that goes beyond what it may touch', Section.Symbols, node);
      return -1;
    }
    at += 4 * length;
    left -= length;
    node += 1;
  }
  return node;
}

function broken(phase: number): number {
  fault = 'has broken instructions in init';
  if (phase === 1) fault = 'has broken instructions in train';
  if (phase === 2) fault = 'has broken instructions in update';
  if (phase === 3) fault = 'has broken instructions in eval';
  if (phase === 4) fault = 'has broken instructions in rates';
  return -1;
}

/** Address of word `i` of a record, and its value: both kinds begin alike, with name, offset, start or gradient, dims, strides, rank, shape. */
let record: number = 0;
function field(i: number): number {
  return words!.u32(record + 4 * i);
}

function checkRecords(id: Section, count: number): boolean {
  const bytes = sectionBytes(id);
  if (bytes % (4 * count) !== 0) return refuse('has a broken list of tensors');
  const lines = countLines(Section.Names);
  record = sectionAt(id);
  for (const end = record + bytes; record < end; record += 4 * count) {
    if (field(WeightWord.Name) >= lines) return refuse('has a tensor without a name');
    const elements = product(WeightWord.D0, 3);
    // The strides lay the elements without gaps.
    const isLaid = elements > 0 && reach() === elements && field(WeightWord.Rank) <= MOST_RANK;
    if (id === Section.Weights) {
      if (!isLaid || !isWeight(elements))
        return refuseNamed('a weight lies outside the linear memory or its tensor', Section.Names, field(WeightWord.Name));
    } else if (!isLaid || !isParameter(elements))
      return refuseNamed('a parameter lies outside the linear memory', Section.Names, field(WeightWord.Name));
  }
  return true;
}

function isWeight(elements: number): boolean {
  const whole = product(WeightWord.Shape, field(WeightWord.Rank));
  return isData(field(WeightWord.Offset), weightBytes(elements)) && field(WeightWord.Start) + elements <= whole;
}
function isParameter(elements: number): boolean {
  const gradient = field(ParameterWord.Gradient);
  return isLearnt(field(ParameterWord.Offset), 4 * elements) && (gradient === 0 || isLearnt(gradient, 4 * elements));
}

/** Aligned, behind the program and before the scratch. */
function isData(offset: number, bytes: number): boolean {
  const first = layoutWord(LayoutWord.ProgramOffset) + sectionBytes(Section.Image);
  return offset % 16 === 0 && offset >= first && offset + bytes <= layoutWord(LayoutWord.ScratchOffset);
}
/** Aligned, in the program's own bytes. */
function isInImage(offset: number, bytes: number): boolean {
  const image = layoutWord(LayoutWord.ProgramOffset);
  return offset % 16 === 0 && offset >= image && offset + bytes <= image + sectionBytes(Section.Image);
}
/** The same, behind all instructions: what a host may write without changing what was checked. */
function isTable(offset: number, bytes: number): boolean {
  let end: number = 0;
  for (let phase: number = 0; phase < PHASES; phase++) end = Math.max(end, layoutWord(LayoutWord.Entries + 2 * phase + 1));
  return offset >= end && isInImage(offset, bytes);
}
/** Aligned, in the checkpoint region behind the state block. */
function isLearnt(offset: number, bytes: number): boolean {
  const region = layoutWord(LayoutWord.RegionOffset);
  return offset % 16 === 0 && offset >= region + State.Bytes && offset + bytes <= region + layoutWord(LayoutWord.RegionBytes);
}

/** Product of n words of the record from `first` on; 0 where one is 0 or it is more than any tensor has. */
function product(first: number, n: number): number {
  let result: number = 1;
  for (let i: number = 0; i < n; i++) {
    const size = field(first + i);
    if (size === 0 || result > MOST_ELEMENTS / size) return 0;
    result *= size;
  }
  return result;
}

/** One past the last element that the record touches, counted from its first; 0 where that is nowhere. */
function reach(): number {
  let last: number = 0;
  for (let axis: number = 0; axis < 3; axis++) {
    const size = field(WeightWord.D0 + axis);
    const step = (size - 1) * field(WeightWord.S0 + axis);
    if (size === 0 || step > 4294967295) return 0;
    last += step;
  }
  return last + 1;
}

/** Bytes that a weight takes in the arena (abi/weights.ts); where its encoding is unknown more than there is. */
function weightBytes(elements: number): number {
  const o = field(WeightWord.D0);
  const encoding = field(WeightWord.Encoding);
  if (encoding === Encoding.F32) return 4 * elements;
  if (encoding > Encoding.Int8By7 || elements > MOST_CODED) return MOST_ELEMENTS;
  // By channels of which a row is read at once, each laid out alike.
  const n1 = field(WeightWord.D1);
  const n2 = field(WeightWord.D2);
  const row = (n1 - 1) * field(WeightWord.S1) + (n2 - 1) * field(WeightWord.S2);
  const isByRow = field(WeightWord.S0) === n1 * n2 && row === n1 * n2 - 1;
  return isByRow ? codedBytes(encoding, o, elements / o) : MOST_ELEMENTS;
}

function checkIo(): boolean {
  const bytes = sectionBytes(Section.Io);
  if (bytes % 12 !== 0) return refuse('has a broken list of ports');
  for (let at: number = 0; at < bytes / 4; at += 3) {
    const id = sectionWord(Section.Io, at);
    const length = sectionWord(Section.Io, at + 2);
    const offset = sectionWord(Section.Io, at + 1);
    const isInTable = id === Io.Constants || id === Io.Known || id === Io.ClassWeights;
    const isGood = isInTable ? isTable(offset, length) : isData(offset, length);
    if (id < Io.Pictures || id > Io.ClassWeights || !isGood) return refuse('has a port outside the linear memory');
    if (id !== Io.Pictures && id !== Io.Partner && length % 4 !== 0) return refuse('has a port that is not made of words');
  }
  return true;
}

/** The run that was packed. */
function checkRun(): boolean {
  if (sectionBytes(Section.Run) !== RunField.Bytes) return refuse('has a run of the wrong size');
  const epochs = runWord(RunField.Epochs);
  if (epochs === 0 || epochs > Checkpoint.MostEpochs) return refuse('has a run without end');
  const batch = runWord(RunField.BatchSize);
  const micro = runWord(RunField.MicroBatch);
  const height = runWord(RunField.Height);
  const width = runWord(RunField.Width);
  const pixel = runWord(RunField.PixelBytes);
  const warmup = words!.f64(sectionAt(Section.Run) + RunField.Warmup);
  const isSplit = micro > 0 && batch > 0 && batch <= MOST_BATCH && batch % micro === 0;
  const isPicture = height > 0 && width > 0 && height <= MOST_SIDE && width <= MOST_SIDE && (pixel === 1 || pixel === 4);
  const isKnown =
    runWord(RunField.Classes) > 0 &&
    runWord(RunField.Head) <= 1 &&
    runWord(RunField.Retries) <= MOST_BACKS &&
    runWord(RunField.Answer) <= Answer.Numbers &&
    runWord(RunField.Better) <= Better.Loss &&
    warmup >= 0 &&
    warmup <= 1;
  if (!isSplit || !isPicture || !isKnown) return refuse('has a broken run');
  if (!(words!.f32(sectionAt(Section.Run) + RunField.Delta) >= 0)) return refuse('has a broken run');
  if (countLines(Section.Score) !== 1) return refuse('does not name its score');
  const state = RunField.State;
  if (runWord(state + State.Step) !== 0 || runWord(state + State.Epoch) !== 0 || runWord(state + State.Position) !== 0)
    return refuse('has a run that has begun');
  if (countLines(Section.Labels) !== runWord(RunField.Classes) || !hasRows()) return refuse('has the wrong number of labels');
  return sectionBytes(Section.Settings) <= Checkpoint.MostSettings ? true : refuse('has settings of the wrong size');
}

/** What the arrays' numbers stand for is a class each. */
function hasRows(): boolean {
  const bytes = sectionBytes(Section.Rows);
  for (let i: number = 0; i < bytes / 4; i++) if (sectionWord(Section.Rows, i) >= runWord(RunField.Classes)) return false;
  return bytes % 4 === 0;
}

/** The ports have the run's pictures. */
function checkPorts(): boolean {
  const micro = runWord(RunField.MicroBatch);
  const answer = runWord(RunField.Answer);
  const channels = channelCount();
  const apart = port(Io.Partner, false);
  const weights = port(Io.ClassWeights, false);
  const fits =
    channels >= 1 &&
    channels <= MOST_CHANNELS &&
    channels === Math.floor(channels) &&
    port(Io.Labels, false) === micro * targetBytes(answer, runWord(RunField.Classes)) &&
    port(Io.EvalChoices, false) === micro * targetBytes(answer, runWord(RunField.Classes)) &&
    (answer !== Answer.Numbers || port(Io.Constants, false) === 8 * runWord(RunField.Classes)) &&
    port(Io.Logits, false) === 4 * micro * runWord(RunField.Classes) &&
    (port(Io.Samples, true) === 0 || port(Io.Samples, false) === 4 * micro) &&
    port(Io.State, true) === layoutWord(LayoutWord.RegionOffset) &&
    (port(Io.Known, false) === 0
      ? port(Io.Distances, false) === 0
      : port(Io.Known, false) >= 8 && port(Io.Distances, false) === 4 * micro) &&
    (apart === 0 || (answer === Answer.Class && micro % 2 === 1 && apart * micro === port(Io.Pictures, false))) &&
    port(Io.PartnerLabel, false) === (apart === 0 ? 0 : 4) &&
    port(Io.PartnerSample, false) === (apart === 0 ? 0 : 4) &&
    (weights === 0 || (answer === Answer.Class && weights === 4 * runWord(RunField.Classes)));
  return fits ? true : refuse('has ports that do not fit its run');
}

/** The adapter has every parameter once; behind them it may tell its run's rates. */
function checkAdapter(marks: Words, marksAt: number): boolean {
  const n = sectionBytes(Section.Parameters) / (4 * ParameterWord.Count);
  const tensors = sectionBytes(Section.AdapterOrder) / 4;
  if (n === 0 || (tensors !== n && tensors !== n + 1)) return refuse('has an adapter of the wrong size');
  marks.clear(marksAt, 16 * n);
  let rates: number = 0;
  for (let i: number = 0; i < tensors; i++) {
    const k = sectionWord(Section.AdapterOrder, i);
    if (k === n && tensors > n && rates === 0) rates = 1;
    else if (k >= n || marks.u32(marksAt + 16 * k) !== 0) return refuse('has an adapter in no order');
    else marks.setU32(marksAt + 16 * k, 1);
  }
  return true;
}
