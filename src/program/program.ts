/** A compiled program in memory, and its binary form. */
import { type Io, ProgramFile, Section } from '../../assembly/abi/program.ts';
import type { Encoding } from '../../assembly/abi/weights.ts';
import type { Arithmetic } from '../base/arithmetic.ts';
import { crc32 } from '../base/crc.ts';
import { PHASES, type Phase } from '../graph/graph.ts';
import type { Range } from '../plan/memory.ts';
import { type Board, boardSections } from './board.ts';

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
  /** How it is stored; where not f32, dims[0] counts the output channels. */
  encoding: Encoding;
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
  /** Precision of frozen weights. */
  weights: string;
  optimizer: string;
  microBatch: number;
  purpose: 'train' | 'infer';
  /** Blocks computed again in backward and the bits of their inputs, as `0-10:8`; `none`. */
  recompute: string;
  /** `relaxed`: sums by fused multiply-add, what `--arithmetic fast` asks for (src/base/arithmetic.ts); absent: `plain`. */
  arithmetic?: 'relaxed';
  /** Products over coded weights: in whole numbers, the other operand rounded to 14 bits, or to 7: `--arithmetic lossy` (docs/weights.md); absent: no weight is coded. */
  products?: '14 bits' | '7 bits';
  /** What it is asked, where that is not one class of several, and by which loss where the task has several (src/task). */
  task?: string;
  loss?: string;
  /** Rates as fractions of what they change, measured before the first step; absent: one for everything. */
  rates?: 'relative';
  /** What each class weighs in the loss of training; absent: all the same. */
  classWeights?: readonly number[];
}

/** The arithmetic by its name. */
export const arithmeticOf = ({ arithmetic, products }: Pick<About, 'arithmetic' | 'products'>): Arithmetic =>
  products === '7 bits' ? 'lossy' : arithmetic ? 'fast' : 'plain';

/** A compiled program: instructions, and where everything lies in the arena. Offsets and sizes are in bytes. */
export interface Program {
  /** The whole linear memory, a multiple of 64 KiB. */
  linearBytes: number;
  /** Bytes of the program region: instructions, tables, lists. */
  image: Uint8Array;
  /** Where the image lies, in bytes of the arena. */
  programOffset: number;
  /** State, parameters, accumulators, moments: what a checkpoint holds. */
  region: Range;
  /** Working memory of one thread; those of the others follow. */
  scratch: Range;
  /** Threads that scratch is reserved for. */
  maxThreads: number;
  /** Where the instructions of each phase begin and end. */
  entries: Record<Phase, { start: number; end: number }>;
  /** Frozen weights, and where their numbers go. */
  weights: WeightRecord[];
  /** The ports: what the host writes and reads. */
  io: Map<Io, Range>;
  /** What learns, and where its gradient lies. */
  parameters: ParameterRecord[];
  /** Names of the nodes, by their number. */
  symbols: string[];
  /** What it was compiled from, in words. */
  about: About;
  /** What a board needs beside it, where it was packed for one. */
  board?: Board;
}

const text = new TextEncoder();

/** The sections that say what is computed, in the order of their ids. */
export function coreSections(p: Program): [Section, Uint8Array][] {
  const names = new Map<string, number>();
  const nameOf = (name: string): number => {
    const known = names.get(name) ?? names.size;
    names.set(name, known);
    return known;
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
  const weights = p.weights.flatMap((w) => [
    nameOf(w.name),
    w.offset,
    w.start,
    ...w.dims,
    ...w.strides,
    ...shapeWords(w.shape),
    w.encoding,
  ]);
  const parameters = p.parameters.flatMap((w) => [nameOf(w.name), w.offset, w.gradient, ...w.dims, ...w.strides, ...shapeWords(w.shape)]);
  const io = [...p.io].flatMap(([id, range]) => [id, range.offset, range.bytes]);
  const bytesOf = (words: number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  return [
    [Section.Layout, bytesOf(layout)],
    [Section.Image, p.image],
    [Section.Weights, bytesOf(weights)],
    [Section.Io, bytesOf(io)],
    [Section.Parameters, bytesOf(parameters)],
    [Section.Symbols, text.encode(p.symbols.join('\n'))],
    [Section.Names, text.encode([...names.keys()].join('\n'))],
    [Section.About, text.encode(JSON.stringify(p.about))],
  ];
}

/** Bytes of a program file. Deterministic: the same program gives the same bytes. Throws nothing. */
export function encodeProgram(p: Program): Uint8Array {
  const sections = [...coreSections(p), ...(p.board ? boardSections(p.board) : [])];
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
