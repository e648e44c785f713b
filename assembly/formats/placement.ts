/**
 * Where each tensor of a program's list lies in weights files: noted while their headers are read (safetensors.ts), 16 bytes a record, 1 + the file's
 * number, which of TYPES, its first byte. Written in what both languages share.
 */
import { Section, WeightWord } from '../abi/program.ts';
import { isText } from './json.ts';
import * as header from './safetensors.ts';
import { countRecords, lineOf, recordAt, recordWord } from './sections.ts';
import { Words } from './words.ts';

const FILE: number = 0;
const TYPE: number = 4;
const OFFSET: number = 8;
export const PLACE_BYTES: number = 16;

let table: Words | null = null;
let tableAt: number = 0;
/** Tensors of the files that the program has no place for; the record whose shape the tensor that was noted last does not have, 0: none. */
export let strangers: number = 0;
export let misfit: number = 0;

function placeOf(i: number): number {
  return tableAt + PLACE_BYTES * i;
}
export function placeFile(i: number): number {
  return table!.u32(placeOf(i) + FILE) - 1;
}
/** 0 f32, 1 f16, 2 bf16: as the engine's `place` counts them. */
export function placeType(i: number): number {
  return table!.u32(placeOf(i) + TYPE);
}
export function placeOffset(i: number): number {
  return table!.f64(placeOf(i) + OFFSET);
}

/** Begins with no tensor noted: the table at `at` has room for either list. */
export function forgetPlaces(memory: Words, at: number): void {
  table = memory;
  tableAt = at;
  strangers = 0;
  misfit = 0;
  memory.clear(at, PLACE_BYTES * Math.max(countRecords(Section.Weights), countRecords(Section.Parameters)));
}

/** How many axes a record asks for, and the size of one. */
export function rankOf(record: number): number {
  return recordWord(record, WeightWord.Rank);
}
export function sizeOf(record: number, i: number): number {
  return recordWord(record, WeightWord.Shape + i);
}

/** Notes the tensor that was read last, whose name stands at `at`, for every record of that name. False: `fault` of scan.ts says why. */
export function notePlace(list: Section, file: number, memory: Words, at: number): boolean {
  let isKnown = false;
  const line = lineOf(Section.Names, memory, at, header.nameBytes);
  for (let i: number = 0, n = countRecords(list); i < n; i++) {
    const record = recordAt(list, i);
    if (recordWord(record, WeightWord.Name) !== line) continue;
    isKnown = true;
    if (header.type >= header.WEIGHT_TYPES)
      return header.refuseTensor('has an element type that weights may not have, expected F32, F16 or BF16');
    if (placeFile(i) >= 0) return header.refuseTensor('stands twice');
    let isSame = rankOf(record) === header.rank;
    for (let k: number = 0; isSame && k < header.rank; k++) isSame = header.axis(k) === sizeOf(record, k);
    if (!isSame) {
      misfit = record;
      return header.refuseTensor('has the wrong shape');
    }
    table!.setU32(placeOf(i) + FILE, file + 1);
    table!.setU32(placeOf(i) + TYPE, header.type);
    table!.setF64(placeOf(i) + OFFSET, header.offset);
  }
  // What an adapter tells of its run's rates is for people.
  if (!isKnown && !isText(memory, at, header.nameBytes, 's2a.rates')) strangers += 1;
  return true;
}

/**
 * Output channels of a weight in fewer bits that are read at once: they are read whole, and beside them scratch holds them in f32. `most`: bytes that are
 * read at once at most.
 */
export function rowsAtOnce(rowBytes: number, ofOne: number, scratchBytes: number, most: number): number {
  return Math.max(1, Math.floor(Math.min(most, (scratchBytes - 16) / (1 + 4 / ofOne)) / rowBytes));
}

/** The line of the name of the first record that no tensor was noted for; -1: all were. */
export function firstMissing(list: Section): number {
  for (let i: number = 0, n = countRecords(list); i < n; i++) if (placeFile(i) < 0) return recordWord(recordAt(list, i), WeightWord.Name);
  return -1;
}
