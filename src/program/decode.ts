/** A program file, read without trusting it. */
import { type Io, LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program.ts';
import { ALL_SECTIONS, sectionBytes, sectionStart } from '../../assembly/formats/sections.ts';
import { crc32 } from '../base/crc.ts';
import { InputError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import { readBoard } from './board.ts';
import { checkProgram } from './check.ts';
import { type About, encodeProgram, type Placed, type Program } from './program.ts';

/** The sections of a file whose header and table have been checked. */
interface Sections {
  section(id: Section): Uint8Array;
  /** Words of a section that is made of records of `count`. */
  records(id: Section, count: number): Uint32Array[];
  text(id: Section): string;
  lines(id: Section): string[];
}

function sectionsOf(file: Uint8Array<ArrayBuffer>, fault: (what: string) => never): Sections {
  const section = (id: Section): Uint8Array => file.subarray(sectionStart(id), sectionStart(id) + sectionBytes(id));
  const text = (id: Section): string => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(section(id));
    } catch {
      return fault(`section ${id} is not UTF-8 text`);
    }
  };
  return {
    section,
    text,
    records(id, count) {
      const all = new Uint32Array(section(id).slice().buffer);
      return Array.from({ length: all.length / count }, (_, i) => all.subarray(i * count, (i + 1) * count));
    },
    lines(id) {
      const all = text(id);
      return all === '' ? [] : all.split('\n');
    },
  };
}

/**
 * Reads a program file back, allocating no more than a few times the file. Throws InputError for anything that is not exactly one of
 * ours: `where` names it there.
 */
export function decodeProgram(bytes: Uint8Array, where = 'program'): Program {
  // A Buffer's slice is no copy; a plain view's is.
  const file = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  const fault = (what: string, hint = 'compile it again'): never => {
    throw new InputError({ where, what, hint });
  };
  const words = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const word = (i: number): number => words.getUint32(4 * i, true);
  if (file.length < 4 * ProgramFile.HeaderWords || word(0) !== ProgramFile.Magic)
    fault('is not a program file', 's2a pack and s2a plan --program write one');
  if (word(1) !== ProgramFile.Version) fault(`was compiled for version ${word(1)} of the engine, this is ${ProgramFile.Version}`);
  if (word(2) !== file.length) fault(`is truncated: ${file.length} bytes of ${word(2)}`);
  if (word(3) !== crc32(file.subarray(4 * ProgramFile.UncheckedWords))) fault('is damaged: its checksum does not match');
  const sections = sectionsOf(file, fault);
  checkProgram(file, where, sections.lines);
  const program: Program = {
    linearBytes: word(4),
    ...readLayout(sections),
    ...readRecords(sections),
    symbols: sections.lines(Section.Symbols),
    about: readAbout(parseJson(where, sections.section(Section.About)), fault),
  };
  if (word(5) === ALL_SECTIONS) program.board = readBoard(sections);
  // One program, one file: what is left (order, padding, unused words, names) must be as encoding writes it.
  const same = encodeProgram(program);
  if (same.length !== file.length || same.some((byte, i) => byte !== file[i])) fault('is not as it would be written');
  return program;
}

type Laid = 'image' | 'programOffset' | 'region' | 'scratch' | 'maxThreads' | 'entries';
function readLayout({ section, records }: Sections): Pick<Program, Laid> {
  const layout = records(Section.Layout, LayoutWord.Count)[0]!;
  const entry = (i: number): { start: number; end: number } => ({
    start: layout[LayoutWord.Entries + 2 * i]!,
    end: layout[LayoutWord.Entries + 2 * i + 1]!,
  });
  return {
    image: section(Section.Image),
    programOffset: layout[LayoutWord.ProgramOffset]!,
    region: { offset: layout[LayoutWord.RegionOffset]!, bytes: layout[LayoutWord.RegionBytes]! },
    scratch: { offset: layout[LayoutWord.ScratchOffset]!, bytes: layout[LayoutWord.ScratchBytes]! },
    maxThreads: layout[LayoutWord.MaxThreads]!,
    entries: { init: entry(0), train: entry(1), update: entry(2), eval: entry(3), rates: entry(4) },
  };
}

function readRecords({ records, lines }: Sections): Pick<Program, 'weights' | 'io' | 'parameters'> {
  const names = lines(Section.Names);
  const placed = (r: Uint32Array): Placed => ({
    name: names[r[WeightWord.Name]!]!,
    offset: r[WeightWord.Offset]!,
    dims: [r[WeightWord.D0]!, r[WeightWord.D1]!, r[WeightWord.D2]!],
    strides: [r[WeightWord.S0]!, r[WeightWord.S1]!, r[WeightWord.S2]!],
    shape: [...r.subarray(WeightWord.Shape, WeightWord.Shape + r[WeightWord.Rank]!)],
  });
  return {
    weights: records(Section.Weights, WeightWord.Count).map((r) => ({
      ...placed(r),
      start: r[WeightWord.Start]!,
      encoding: r[WeightWord.Encoding]!,
    })),
    io: new Map(records(Section.Io, 3).map((r) => [r[0] as Io, { offset: r[1]!, bytes: r[2]! }])),
    parameters: records(Section.Parameters, ParameterWord.Count).map((r) => ({ ...placed(r), gradient: r[ParameterWord.Gradient]! })),
  };
}

function readAbout(values: Record<string, unknown>, fault: (what: string) => never): About {
  const text = (key: keyof About): string => {
    const value = values[key];
    return typeof value === 'string' ? value : fault(`does not say its ${key}`);
  };
  const count = (value: unknown, key: keyof About): number =>
    Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : fault(`does not say its ${key}`);
  const image = Array.isArray(values.image) && values.image.length === 2 ? values.image : fault('does not say its image');
  const purpose = text('purpose');
  return {
    model: text('model'),
    image: [count(image[0], 'image'), count(image[1], 'image')],
    classes: count(values.classes, 'classes'),
    method: text('method'),
    keep: text('keep'),
    weights: text('weights'),
    optimizer: text('optimizer'),
    microBatch: count(values.microBatch, 'microBatch'),
    purpose: purpose === 'train' || purpose === 'infer' ? purpose : fault('does not say its purpose'),
    recompute: text('recompute'),
    ...taskIn(values, fault),
    ...arithmeticOf(values.arithmetic, fault),
    ...productsOf(values.products, fault),
    ...ratesOf(values.rates, fault),
    ...weightsIn(values, fault),
  };
}

/** The task and its loss, by names that a reader need not know: what they do stands in the instructions. */
function taskIn({ task, loss }: Record<string, unknown>, fault: (what: string) => never): Pick<About, 'task' | 'loss'> {
  if ([task, loss].some((name) => name !== undefined && (typeof name !== 'string' || name === ''))) fault('has an unknown task');
  return { ...(task === undefined ? {} : { task: task as string }), ...(loss === undefined ? {} : { loss: loss as string }) };
}

function ratesOf(value: unknown, fault: (what: string) => never): Pick<About, 'rates'> {
  if (value === undefined) return {};
  return value === 'relative' ? { rates: value } : fault('has unknown rates');
}

function weightsIn({ classWeights, classes }: Record<string, unknown>, fault: (what: string) => never): Pick<About, 'classWeights'> {
  if (classWeights === undefined) return {};
  const isList = Array.isArray(classWeights) && classWeights.length === classes && classWeights.every((w) => Number.isFinite(w) && w > 0);
  return isList ? { classWeights: classWeights as number[] } : fault('has class weights that are none');
}

function productsOf(value: unknown, fault: (what: string) => never): Pick<About, 'products'> {
  if (value === undefined) return {};
  return value === '14 bits' || value === '7 bits' ? { products: value } : fault('has unknown products');
}

function arithmeticOf(value: unknown, fault: (what: string) => never): Pick<About, 'arithmetic'> {
  if (value === undefined) return {};
  return value === 'relaxed' ? { arithmetic: value } : fault('has an unknown arithmetic');
}
