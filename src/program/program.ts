/** A compiled program in memory, and its binary form. */
import { type Io, LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program.ts';
import { InputError } from '../error.ts';
import { PHASES, type Phase } from '../graph.ts';
import type { Range } from '../plan/memory.ts';
import { crc32 } from './crc.ts';

/** How a tensor's elements lie: element (i0,i1,i2) of the file's row-major dims goes to Σ i·strides of the value. */
export interface Placed {
  name: string;
  offset: number;
  dims: readonly [number, number, number];
  strides: readonly [number, number, number];
  /** Shape in the file. */
  shape: readonly number[];
}
export interface WeightRecord extends Placed {
  /** First element of the file's tensor. */
  start: number;
}
export interface ParameterRecord extends Placed {
  /** Arena offset of the gradient accumulator; 0 in a program that does not train. */
  gradient: number;
}

/** What a program was compiled for; carried along, never interpreted by the engine. */
export interface About {
  model: string;
  image: readonly [number, number];
  classes: number;
  method: string;
  keep: string;
  optimizer: string;
  microBatch: number;
  purpose: 'train' | 'infer';
}

export interface Program {
  linearBytes: number;
  /** Contents and arena offset of the program region. */
  image: Uint8Array;
  programOffset: number;
  region: Range;
  scratch: Range;
  maxThreads: number;
  entries: Record<Phase, { start: number; end: number }>;
  weights: WeightRecord[];
  io: Map<Io, Range>;
  parameters: ParameterRecord[];
  symbols: string[];
  about: About;
}

const text = new TextEncoder();

/** Bytes of a program file. Deterministic: the same program gives the same bytes. */
export function encodeProgram(p: Program): Uint8Array {
  const names: string[] = [];
  const nameOf = (name: string): number => {
    const known = names.indexOf(name);
    return known >= 0 ? known : names.push(name) - 1;
  };
  const shapeWords = (shape: readonly number[]): number[] => [shape.length, ...[0, 1, 2, 3].map((i) => shape[i] ?? 0)];
  const layout = [
    p.programOffset,
    p.region.offset,
    p.region.bytes,
    p.scratch.offset,
    p.scratch.bytes,
    p.maxThreads,
    ...PHASES.flatMap((phase) => [p.entries[phase].start, p.entries[phase].end]),
  ];
  const weights = p.weights.flatMap((w) => [nameOf(w.name), w.offset, w.start, ...w.dims, ...w.strides, ...shapeWords(w.shape)]);
  const parameters = p.parameters.flatMap((w) => [nameOf(w.name), w.offset, w.gradient, ...w.dims, ...w.strides, ...shapeWords(w.shape)]);
  const io = [...p.io].flatMap(([id, range]) => [id, range.offset, range.bytes]);
  const bytesOf = (words: number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  const sections: [number, Uint8Array][] = [
    [Section.Layout, bytesOf(layout)],
    [Section.Image, p.image],
    [Section.Weights, bytesOf(weights)],
    [Section.Io, bytesOf(io)],
    [Section.Parameters, bytesOf(parameters)],
    [Section.Symbols, text.encode(p.symbols.join('\n'))],
    [Section.Names, text.encode(names.join('\n'))],
    [Section.About, text.encode(JSON.stringify(p.about))],
  ];
  const header = new Uint32Array(ProgramFile.HeaderWords + 3 * sections.length);
  let at = header.byteLength;
  sections.forEach(([id, bytes], i) => {
    header.set([id, at, bytes.length], ProgramFile.HeaderWords + 3 * i);
    at += (bytes.length + 3) & ~3;
  });
  const file = new Uint8Array(at);
  header.set([ProgramFile.Magic, ProgramFile.Version, at, 0, p.linearBytes, sections.length]);
  file.set(new Uint8Array(header.buffer));
  for (const [i, [, bytes]] of sections.entries()) file.set(bytes, header[ProgramFile.HeaderWords + 3 * i + 1]!);
  new DataView(file.buffer).setUint32(12, crc32(file.subarray(4 * ProgramFile.UncheckedWords)), true);
  return file;
}

/** Reads a program file back; anything that is not exactly one of ours is an InputError. */
export function decodeProgram(file: Uint8Array, where = 'program'): Program {
  const fault = (what: string, hint = 'compile it again'): never => {
    throw new InputError({ where, what, hint });
  };
  const words = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const word = (i: number): number => words.getUint32(4 * i, true);
  if (file.length < 4 * ProgramFile.HeaderWords || word(0) !== ProgramFile.Magic) fault('is not a program file');
  if (word(1) !== ProgramFile.Version) fault(`was compiled for version ${word(1)} of the engine, this is ${ProgramFile.Version}`);
  if (word(2) !== file.length) fault(`is truncated: ${file.length} bytes of ${word(2)}`);
  if (word(3) !== crc32(file.subarray(4 * ProgramFile.UncheckedWords))) fault('is damaged: its checksum does not match');
  const sections = new Map<number, Uint8Array>();
  for (let i = 0; i < word(5); i++) {
    const [id, offset, bytes] = [0, 1, 2].map((j) => word(ProgramFile.HeaderWords + 3 * i + j)) as [number, number, number];
    if (offset + bytes > file.length) fault(`section ${id} lies outside the file`);
    sections.set(id, file.subarray(offset, offset + bytes));
  }
  const section = (id: Section): Uint8Array => sections.get(id) ?? fault(`section ${id} is missing`);
  const wordsOf = (id: Section): Uint32Array => new Uint32Array(section(id).slice().buffer);
  const linesOf = (id: Section): string[] => new TextDecoder().decode(section(id)).split('\n');
  const records = (id: Section, count: number): Uint32Array[] => {
    const all = wordsOf(id);
    return Array.from({ length: Math.floor(all.length / count) }, (_, i) => all.subarray(i * count, (i + 1) * count));
  };
  const names = linesOf(Section.Names);
  const placed = (r: Uint32Array): Placed => ({
    name: names[r[WeightWord.Name]!] ?? fault('a record has no name'),
    offset: r[WeightWord.Offset]!,
    dims: [r[WeightWord.D0]!, r[WeightWord.D1]!, r[WeightWord.D2]!],
    strides: [r[WeightWord.S0]!, r[WeightWord.S1]!, r[WeightWord.S2]!],
    shape: [...r.subarray(WeightWord.Shape, WeightWord.Shape + Math.min(4, r[WeightWord.Rank]!))],
  });
  const layout = wordsOf(Section.Layout);
  const entry = (i: number): { start: number; end: number } => ({
    start: layout[LayoutWord.Entries + 2 * i]!,
    end: layout[LayoutWord.Entries + 2 * i + 1]!,
  });
  return {
    linearBytes: word(4),
    image: section(Section.Image),
    programOffset: layout[LayoutWord.ProgramOffset]!,
    region: { offset: layout[LayoutWord.RegionOffset]!, bytes: layout[LayoutWord.RegionBytes]! },
    scratch: { offset: layout[LayoutWord.ScratchOffset]!, bytes: layout[LayoutWord.ScratchBytes]! },
    maxThreads: layout[LayoutWord.MaxThreads]!,
    entries: { init: entry(0), train: entry(1), update: entry(2), eval: entry(3) },
    weights: records(Section.Weights, WeightWord.Count).map((r) => ({ ...placed(r), start: r[WeightWord.Start]! })),
    io: new Map(records(Section.Io, 3).map((r) => [r[0] as Io, { offset: r[1]!, bytes: r[2]! }])),
    parameters: records(Section.Parameters, ParameterWord.Count).map((r) => ({ ...placed(r), gradient: r[ParameterWord.Gradient]! })),
    symbols: linesOf(Section.Symbols),
    about: JSON.parse(new TextDecoder().decode(section(Section.About))) as About,
  };
}
