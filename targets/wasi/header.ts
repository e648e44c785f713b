/** A safetensors file's header (assembly/formats/safetensors.ts): where each tensor of the program's lists lies is noted in a table. */
import { ParameterWord, Section, WeightWord } from '../../assembly/abi/program';
import * as header from '../../assembly/formats/safetensors';
import { isText } from '../../assembly/formats/json';
import { isGood } from '../../assembly/formats/scan';
import { fileBytes } from './files';
import { countRecords, section, sectionBytes, selectLine, Tensor, tensorOf, tensorTable } from './program';
import { byteAt, finishFault, openReader } from './reader';
import { begin, finish } from './refuse';
import { say, select, STDERR, to } from './text';
import { words } from './words';

/** A tensor's place: 1 + the index of its file, its element type, its first byte. */
const FILE: usize = 0;
const TYPE: usize = 4;
const OFFSET: usize = 8;

const name = memory.data(1152);
let where: usize = 0;

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

/** Opens the file of that path, reads its header, and notes the places of the tensors of one of the program's lists. Returns the file. */
export function readHeader(path: usize, list: u32, file: u32): u32 {
  where = path;
  unknown = 0;
  const fd = openReader(path);
  if (header.openHeader(byteAt, <f64>fileBytes, words, name)) while (header.nextTensor()) note(list, file);
  if (isGood() && header.fillsFile()) return fd;
  if (header.isAboutTensor) beginTensor();
  else begin(path);
  finishFault();
  return fd;
}

/** Begins a sentence about the tensor that is being read. */
function beginTensor(): void {
  select(name, min(<usize>header.nameBytes, 100));
  to(STDERR);
  say('s2a: $, tensor &: ', where);
}
function refuseTensor(what: string, hint: string = ''): void {
  beginTensor();
  say(what);
  finish(hint);
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
    const t = tensorOf(list, i);
    if (t.name != line) continue;
    isKnown = true;
    if (header.type >= header.WEIGHT_TYPES) refuseTensor('has an element type that weights may not have, expected F32, F16 or BF16');
    if (load<u32>(placeOf(i), FILE) != 0) refuseTensor('stands twice');
    let isSame = t.rank == <u32>header.rank;
    for (let axis: u32 = 0; isSame && axis < t.rank; axis++) isSame = header.axis(axis) == sizeOf(t, axis);
    if (!isSame) wrongShape(t);
    store<u32>(placeOf(i), file + 1, FILE);
    store<i32>(placeOf(i), <i32>header.type, TYPE);
    store<u64>(placeOf(i), <u64>header.offset, OFFSET);
  }
  // What an adapter tells of its run's rates is for people.
  if (!isKnown && !isText(words, name, header.nameBytes, 's2a.rates')) unknown++;
}

/** The size of an axis in the file. */
function sizeOf(t: Tensor, axis: u32): u32 {
  return load<u32>(changetype<usize>(t) + ((WeightWord.Shape + axis) << 2));
}

function wrongShape(t: Tensor): void {
  beginTensor();
  say('has the wrong shape, got [');
  for (let axis: u32 = 0; axis < <u32>header.rank; axis++) say(axis > 0 ? ', #' : '#', header.axis(axis));
  say('], expected [');
  for (let axis: u32 = 0; axis < t.rank; axis++) say(axis > 0 ? ', #' : '#', sizeOf(t, axis));
  say(']');
  finish();
}

/** Every tensor of the list has its place, or the first that has none is named. */
export function allPlaced(list: u32, path: usize): void {
  for (let i: u32 = 0, count = countRecords(list); i < count; i++) {
    if (load<u32>(placeOf(i), FILE) != 0) continue;
    selectLine(Section.Names, tensorOf(list, i).name);
    begin(path);
    say('tensor & is missing');
    finish();
  }
}

if (ParameterWord.Rank != WeightWord.Rank || ParameterWord.Shape != WeightWord.Shape) ERROR('both kinds of records begin alike');
