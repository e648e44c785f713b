/** A safetensors file's header (assembly/formats/safetensors.ts): where each tensor of the program's lists lies is noted in a table. */
import { ParameterWord, Section, WeightWord } from '../../assembly/abi/program';
import * as header from '../../assembly/formats/safetensors';
import { isText } from '../../assembly/formats/json';
import { fault, isGood } from '../../assembly/formats/scan';
import { fileBytes, measure, need, opened, openFile } from './files';
import { countRecords, lineAt, lineBytes, recordOf, section, sectionBytes, tensorTable } from './program';
import { byteAt, openReader } from './reader';
import { begin, finish, refuseNumbers } from './refuse';
import { bytes, number, text } from './text';
import { words } from './words';

/** A tensor's place: 1 + the index of its file, its element type, its first byte. */
const FILE: usize = 0;
const TYPE: usize = 4;
const OFFSET: usize = 8;

const name = memory.data(1152);
let where: usize = 0;
let whereBytes: usize = 0;

function placeOf(i: u32): usize {
  return tensorTable + (i << 4);
}
export function placeFile(i: u32): u32 {
  return load<u32>(placeOf(i), FILE) - 1;
}
/** 0 f32, 1 f16, 2 bf16: as the engine's `place` counts them. */
export function placeType(i: u32): i32 {
  return load<i32>(placeOf(i), TYPE);
}
export function placeOffset(i: u32): u64 {
  return load<u64>(placeOf(i), OFFSET);
}

export function forgetPlaces(): void {
  memory.fill(tensorTable, 0, (<usize>max(countRecords(Section.Weights), countRecords(Section.Parameters))) << 4);
}

/** Tensors of the file that the program has no place for. */
export let unknown: u32 = 0;

/** Opens the file of that path, reads its header, and notes the places of the tensors of one of the program's lists. */
export function readHeader(p: usize, n: usize, list: u32, file: u32): void {
  where = p;
  whereBytes = n;
  unknown = 0;
  need(openFile(p, n), p, n);
  need(measure(opened), p, n);
  openReader(opened, fileBytes, p, n);
  if (header.openHeader(byteAt, <f64>fileBytes, words, name)) while (header.nextTensor()) note(list, file);
  if (isGood()) return;
  if (header.isAboutTensor) about(fault);
  if (header.got >= 0) refuseNumbers(p, n, fault, <u64>header.got, <u64>header.expected, 'was the copy complete?');
  begin(p, n, fault);
  finish('was the copy complete?');
}

/** Begins a sentence about the tensor that is being read. */
function beginTensor(): void {
  begin(where, whereBytes, 'tensor ');
  bytes(name, min(<usize>header.nameBytes, 100));
  text(' ');
}
function about(what: string): void {
  beginTensor();
  text(what);
  finish();
}

/** The line of the program's names that is the tensor's; the largest number where none is. */
function lineOfName(): u32 {
  const end = section(Section.Names) + sectionBytes(Section.Names);
  const n = <usize>header.nameBytes;
  let line: u32 = 0;
  for (let p = section(Section.Names); p < end; line++) {
    let q = p;
    while (q < end && load<u8>(q) != 0x0a) q++;
    if (q - p == n && memory.compare(p, name, n) == 0) return line;
    p = q + 1;
  }
  return u32.MAX_VALUE;
}

/** Notes the place for every record of that name; type and shape must be the record's. */
function note(list: u32, file: u32): void {
  let isKnown = false;
  const line = lineOfName();
  for (let i: u32 = 0, n = countRecords(list); i < n; i++) {
    const record = recordOf(list, i);
    if (load<u32>(record, WeightWord.Name << 2) != line) continue;
    isKnown = true;
    if (header.type < 0) about('has an element type that weights may not have, expected F32, F16 or BF16');
    if (load<u32>(placeOf(i), FILE) != 0) about('stands twice');
    let isSame = load<u32>(record, WeightWord.Rank << 2) == <u32>header.rank;
    for (let axis: u32 = 0; isSame && axis < <u32>header.rank; axis++)
      isSame = header.axis(axis) == load<u32>(record + ((WeightWord.Shape + axis) << 2));
    if (!isSame) wrongShape(record);
    store<u32>(placeOf(i), file + 1, FILE);
    store<i32>(placeOf(i), <i32>header.type, TYPE);
    store<u64>(placeOf(i), <u64>header.offset, OFFSET);
  }
  // What an adapter tells of its run's rates is for people.
  if (!isKnown && !isText(words, name, header.nameBytes, 's2a.rates')) unknown++;
}

function wrongShape(record: usize): void {
  beginTensor();
  text('has the wrong shape, got [');
  for (let axis: u32 = 0; axis < <u32>header.rank; axis++) {
    if (axis > 0) text(', ');
    number(<u64>header.axis(axis));
  }
  text('], expected [');
  for (let axis: u32 = 0, n = load<u32>(record, WeightWord.Rank << 2); axis < n; axis++) {
    if (axis > 0) text(', ');
    number(load<u32>(record + ((WeightWord.Shape + axis) << 2)));
  }
  text(']');
  finish();
}

/** Every tensor of the list has its place, or the first that has none is named. */
export function allPlaced(list: u32, p: usize, n: usize): void {
  for (let i: u32 = 0, count = countRecords(list); i < count; i++) {
    if (load<u32>(placeOf(i), FILE) != 0) continue;
    begin(p, n, 'tensor ');
    const length = lineBytes(Section.Names, load<u32>(recordOf(list, i)));
    bytes(lineAt, length);
    text(' is missing');
    finish();
  }
}

if (ParameterWord.Rank != WeightWord.Rank || ParameterWord.Shape != WeightWord.Shape) ERROR('both kinds of records begin alike');
