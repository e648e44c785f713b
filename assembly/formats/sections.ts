/** A program file's parts (abi/program.ts): where its sections, ports, lines and records stand. Written in what both languages share. */
import { Io, LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../abi/program.ts';
import { Instruction } from '../abi/ops.ts';
import { RunField } from '../abi/run.ts';
import { Words } from './words.ts';

/** Sections that every program has, the first, and those of one that was packed. */
export const CORE_SECTIONS: number = Section.About;
export const ALL_SECTIONS: number = Section.Rows;

let words: Words | null = null;
let file: number = 0;

/** The file at `at`, whose sections are asked for. */
export function openSections(memory: Words, at: number): void {
  words = memory;
  file = at;
}

export function headerWord(i: number): number {
  return words!.u32(file + 4 * i);
}
/** The word of the sections' list that describes a section; 0 where there is none. */
export function listed(id: number): number {
  for (let i: number = 0, n = Math.min(headerWord(5), ALL_SECTIONS); i < n; i++) {
    const at = ProgramFile.HeaderWords + 3 * i;
    if (headerWord(at) === id) return at;
  }
  return 0;
}
/** A section's first byte in the file, and its bytes; 0 where there is none. */
export function sectionStart(id: number): number {
  const at = listed(id);
  return at === 0 ? 0 : headerWord(at + 1);
}
export function sectionBytes(id: number): number {
  const at = listed(id);
  return at === 0 ? 0 : headerWord(at + 2);
}
/** Its first byte in the memory. */
export function sectionAt(id: number): number {
  return file + sectionStart(id);
}
/** Word `i` of a section. */
export function sectionWord(id: number, i: number): number {
  return words!.u32(sectionAt(id) + 4 * i);
}
export function layoutWord(i: number): number {
  return sectionWord(Section.Layout, i);
}
/** The word of the run at a byte (abi/run.ts). */
export function runWord(field: number): number {
  return words!.u32(sectionAt(Section.Run) + field);
}

/** Bytes of a port; `isOffset`: its place instead. 0 where there is none. */
export function port(id: number, isOffset: boolean): number {
  for (let at: number = 0, n = sectionBytes(Section.Io) / 4; at < n; at += 3)
    if (sectionWord(Section.Io, at) === id) return sectionWord(Section.Io, isOffset ? at + 1 : at + 2);
  return 0;
}
/** Numbers of a position of a picture, which the port's size tells. */
export function channelCount(): number {
  const one = runWord(RunField.MicroBatch) * runWord(RunField.Height) * runWord(RunField.Width) * runWord(RunField.PixelBytes);
  return port(Io.Pictures, false) / one;
}

export function countLines(id: number): number {
  const start = sectionAt(id);
  const end = start + sectionBytes(id);
  let n: number = end > start ? 1 : 0;
  for (let at = start; at < end; at++) if (words!.u8(at) === 0x0a) n += 1;
  return n;
}
/** The line that was looked for last. */
export let lineAt: number = 0;
export let lineBytes: number = 0;
/** Line `i` of a section of lines; an empty one behind its last. */
export function findLine(id: number, i: number): void {
  const end = sectionAt(id) + sectionBytes(id);
  let at = sectionAt(id);
  for (let left = i; left > 0 && at < end; at++) if (words!.u8(at) === 0x0a) left -= 1;
  lineAt = at;
  while (at < end && words!.u8(at) !== 0x0a) at += 1;
  lineBytes = at - lineAt;
}
/** Which line of a section these bytes are; -1: none. */
export function lineOf(id: number, text: Words, at: number, bytes: number): number {
  const end = sectionAt(id) + sectionBytes(id);
  let line: number = 0;
  for (let start = sectionAt(id); start < end; line += 1) {
    let same: number = 0;
    while (same < bytes && start + same < end && words!.u8(start + same) === text.u8(at + same)) same += 1;
    const isEnd = start + same === end || words!.u8(start + same) === 0x0a;
    if (same === bytes && isEnd) return line;
    start += same;
    while (start < end && words!.u8(start) !== 0x0a) start += 1;
    start += 1;
  }
  return -1;
}

/** Records of either list of tensors: how many, where one stands, a word of it, its numbers. */
export function countRecords(id: number): number {
  return sectionBytes(id) / recordBytes(id);
}
function recordBytes(id: number): number {
  return 4 * (id === Section.Weights ? WeightWord.Count : ParameterWord.Count);
}
export function recordAt(id: number, i: number): number {
  return sectionAt(id) + i * recordBytes(id);
}
export function recordWord(record: number, i: number): number {
  return words!.u32(record + 4 * i);
}
export function elementsOf(record: number): number {
  return recordWord(record, WeightWord.D0) * recordWord(record, WeightWord.D1) * recordWord(record, WeightWord.D2);
}

/** Where the parameters begin and end in the arena: they lie one after the other in the region. */
export function parametersFrom(): number {
  let from: number = 4294967295;
  for (let i: number = 0; i < countRecords(Section.Parameters); i++)
    from = Math.min(from, recordWord(recordAt(Section.Parameters, i), ParameterWord.Offset));
  return from;
}
export function parametersEnd(): number {
  let end: number = 0;
  for (let i: number = 0; i < countRecords(Section.Parameters); i++) {
    const record = recordAt(Section.Parameters, i);
    end = Math.max(end, recordWord(record, ParameterWord.Offset) + 4 * elementsOf(record));
  }
  return end;
}

/** Instructions of a phase. */
export function instructionsOf(phase: number): number {
  const image = sectionAt(Section.Image) - layoutWord(LayoutWord.ProgramOffset);
  const end = image + layoutWord(LayoutWord.Entries + 2 * phase + 1);
  let n: number = 0;
  for (let at = image + layoutWord(LayoutWord.Entries + 2 * phase); at < end; at += 4 * words!.u32(at + 4 * Instruction.Words)) n += 1;
  return n;
}
