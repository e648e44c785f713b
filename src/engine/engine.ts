/** The engine around one program: its memory, made once and never grown, and its phases. */

import { State } from '../../assembly/abi/head.ts';
import type { Io } from '../../assembly/abi/program.ts';
import type { Found } from '../../assembly/abi/ridge.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { rowsAtOnce } from '../../assembly/formats/placement.ts';
import { EngineError, InputError } from '../base/error.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { weightOf } from '../formats/weightsfile.ts';
import type { Phase } from '../graph/graph.ts';
import type { ParameterRecord, Placed, Program, WeightRecord } from '../program/program.ts';
import { weightsOnRequest } from '../program/stored.ts';
import type { StoredWeights } from './storedfile.ts';
import { ALONE, type StartThread, startTeam, startThread } from './threads.ts';
import { type Requests, walks } from './walk.ts';

interface Exports {
  setup(arena: number, scratchOffset: number, scratchBytes: number, thread: number, threads: number): void;
  walk(code: number, end: number): number;
  resume(): number;
  place(
    src: number,
    dtype: number,
    start: number,
    count: number,
    dst: number,
    n1: number,
    n2: number,
    s0: number,
    s1: number,
    s2: number,
  ): number;
  placeCoded(
    src: number,
    dtype: number,
    row: number,
    rows: number,
    dst: number,
    encoding: number,
    o: number,
    n1: number,
    n2: number,
    s1: number,
    s2: number,
    staging: number,
  ): number;
  sampleAt(i: number, n: number, seed: number, epoch: number): number;
}

/** The head's start in closed form: assembly/ridge/ridge.ts. */
export interface Ridge {
  ridgePictures(roomBytes: number, pictures: number, features: number, classes: number): number;
  ridgeBegin(
    room: number,
    pictures: number,
    features: number,
    classes: number,
    weight: number,
    bias: number,
    gradient: number,
    first: number,
    roomBytes: number,
  ): void;
  ridgeRow(): number;
  ridgeNext(label: number): number;
  ridgeFound(which: Found): number;
}

/** An instance of the engine with a program in its memory. */
export interface Engine {
  /** The program that it runs. */
  program: Program;
  /** The whole linear memory; it never grows. */
  memory: WebAssembly.Memory;
  /** How many walk the program together. */
  threads: number;
  /** Runs a phase to its end; throws EngineError with the failing node's name, or where another thread has died. */
  run(phase: Phase): void;
  /** Runs the instructions between two addresses: a part of a phase, to look at what is in the arena there. */
  walk(start: number, end: number): void;
  /**
   * A phase, or the instructions between two addresses, giving the host a turn while this thread waits for others, so that it learns at once of one
   * that has died, and every few milliseconds (src/base/pace.ts).
   */
  runAsync(part: Phase | { start: number; end: number }): Promise<void>;
  /** Who does what the program asks for, where weights stay in a file; `loadWeights` sets it. */
  serve(requests: Requests): void;
  /** Ends the other threads; the memory stays readable. */
  close(): Promise<void>;
  /** A view of a port: bytes that the host writes before, or reads after, a phase. */
  bytes(port: Io): Uint8Array;
  /** The same as f32; the port's length in numbers is its bytes / 4. */
  floats(port: Io): Float32Array;
  /** The same as i32 numbers. */
  ints(port: Io): Int32Array;
  /** The state block: counters, sums and constants of the run, by offset (assembly/abi/head.ts). */
  state: DataView;
  /** State, parameters, accumulators and optimizer state: what a checkpoint holds. */
  region: Uint8Array;
  /** Position `i` of an epoch's order of `n` pictures. */
  sampleAt(i: number, n: number, seed: number, epoch: number): number;
  /** Copies a tensor's bytes into place, converting and permuting; returns how many numbers were not finite. */
  place(record: Placed, dtype: number, bytes: Uint8Array, elementStart: number, elementBytes: number): number;
  /** Ridge regression over features, for the head that `probe` starts from. */
  ridge: Ridge;
  /** The same for whole output channels, from the `row`-th on, of a coded weight. */
  placeCoded(record: WeightRecord, dtype: number, bytes: Uint8Array, row: number, rows: number): number;
}

/** Largest piece of a weights file that is staged in scratch at a time. */
const STAGE_BYTES = 65536;

/**
 * Makes the memory (initial = maximum = the plan), copies the program in, and writes the constants. Weights come next: `loadWeights`.
 * `wasm`: engine.wasm, or engine.mt.wasm where `threads` are more than one; then `close` it after use. Throws EngineError where the
 * runtime refuses the memory.
 */
export function createEngine(program: Program, wasm: BufferSource, threads = 1, start: StartThread = startThread): Engine {
  const memory = openMemory(program.linearBytes, threads > 1);
  const module = new WebAssembly.Module(wasm);
  const engine = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports & Ridge;
  new Uint8Array(memory.buffer).set(program.image, program.programOffset);
  engine.setup(0, program.scratch.offset, program.scratch.bytes, 0, threads);
  const team = threads > 1 ? startTeam(program, memory, module, threads, start) : ALONE;
  const { atOnce, paced, serve } = walks(engine, memory, program, team);
  const port = (id: Io): { offset: number; bytes: number } => {
    const range = program.io.get(id);
    if (range === undefined) throw new EngineError({ where: 'program', what: `has no port ${id}` });
    return range;
  };
  return {
    program,
    memory,
    threads,
    run: (phase) => atOnce(program.entries[phase]),
    walk: (start, end) => atOnce({ start, end }),
    runAsync: (part) => paced(typeof part === 'string' ? program.entries[part] : part),
    serve,
    close: () => team.close(),
    bytes: (id) => new Uint8Array(memory.buffer, port(id).offset, port(id).bytes),
    floats: (id) => new Float32Array(memory.buffer, port(id).offset, port(id).bytes / 4),
    ints: (id) => new Int32Array(memory.buffer, port(id).offset, port(id).bytes / 4),
    state: new DataView(memory.buffer, program.region.offset),
    region: new Uint8Array(memory.buffer, program.region.offset, program.region.bytes),
    ridge: engine,
    sampleAt: (i, n, seed, epoch) => engine.sampleAt(i, n, seed, epoch) >>> 0,
    ...placing(engine, memory, program.scratch),
  };
}

/** Linear memory that never grows. */
function openMemory(linearBytes: number, shared: boolean): WebAssembly.Memory {
  const pages = linearBytes / 65536;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, ...(shared ? { shared } : {}) });
  } catch {
    throw new EngineError({ where: 'memory', what: `the runtime refused ${linearBytes / 1048576} MiB of linear memory` });
  }
}

/** How bytes of a weights file get to their place: through scratch, converted and permuted by the engine. */
function placing(engine: Exports, memory: WebAssembly.Memory, scratch: Program['scratch']): Pick<Engine, 'place' | 'placeCoded'> {
  return {
    place(record, dtype, bytes, elementStart, elementBytes) {
      const room = Math.min(STAGE_BYTES, scratch.bytes);
      let bad = 0;
      for (let at = 0; at < bytes.length; at += room) {
        const piece = bytes.subarray(at, Math.min(at + room, bytes.length));
        new Uint8Array(memory.buffer, scratch.offset, piece.length).set(piece);
        const [, n1, n2] = record.dims;
        bad += engine.place(
          scratch.offset,
          dtype,
          elementStart + at / elementBytes,
          piece.length / elementBytes,
          record.offset,
          n1,
          n2,
          ...record.strides,
        );
      }
      return bad;
    },
    placeCoded(record, dtype, bytes, row, rows) {
      const { offset } = scratch;
      const [o, n1, n2] = record.dims;
      const [, s1, s2] = record.strides;
      new Uint8Array(memory.buffer, offset, bytes.length).set(bytes);
      const staging = offset + Math.ceil(bytes.length / 16) * 16;
      return engine.placeCoded(offset, dtype, row, rows, record.offset, record.encoding, o, n1, n2, s1, s2, staging);
    },
  };
}

/**
 * Loads every weight of the program from its byte range, piece by piece, then runs `init`. Nothing is filled in: throws InputError for a
 * missing or misshapen tensor, an unknown element type, or a number that is NaN or infinite; the error names the tensor. `seed`: of what
 * starts at random. `stored`: the file of a program whose weights stay in one (`openStored`); it stays open as long as the engine runs.
 */
export function loadWeights(engine: Engine, file: SafetensorsFile, seed = 0, stored?: StoredWeights): void {
  const { weights } = engine.program;
  engine.state.setUint32(State.Seed, seed, true);
  const stage = new Uint8Array(STAGE_BYTES);
  const later = weightsOnRequest(engine.program);
  if (later.size > 0) {
    if (stored === undefined) throw new EngineError({ where: 'program', what: 'keeps its weights in a file, and was given none' });
    engine.serve({
      ...stored,
      place(number, offset) {
        const record = weights[number];
        if (record?.offset !== offset) throw new EngineError({ where: 'program', what: `has no weight ${number} at ${offset}` });
        loadWeight(engine, file, record, stage);
      },
    });
  }
  for (const [i, record] of weights.entries()) if (!later.has(i)) loadWeight(engine, file, record, stage);
  engine.run('init');
}

function loadWeight(engine: Engine, file: SafetensorsFile, record: WeightRecord, stage: Uint8Array): void {
  const { tensor, where, dtype } = weightOf(file, record.name, record.shape);
  const [n0, n1, n2] = record.dims;
  const rowBytes = n1 * n2 * dtype.bytes;
  const total = n0 * rowBytes;
  const from = record.start * dtype.bytes;
  const coded = record.encoding !== Encoding.F32;
  const rows = rowsAtOnce(rowBytes, dtype.bytes, engine.program.scratch.bytes, STAGE_BYTES);
  const most = coded ? rows * rowBytes : STAGE_BYTES;
  let bad = 0;
  for (let at = 0; at < total; at += most) {
    const piece = stage.subarray(0, Math.min(most, total - at));
    file.read(tensor, piece, from + at);
    bad += coded
      ? engine.placeCoded(record, dtype.code, piece, at / rowBytes, piece.length / rowBytes)
      : engine.place(record, dtype.code, piece, at / dtype.bytes, dtype.bytes);
  }
  if (bad > 0) throw new InputError({ where, what: `holds ${bad} numbers that are NaN or infinite` });
}

/** A learnable tensor in the checkpoint's own layout, gathered from the arena. `from`: its value, or its gradient. */
export function readParameter(engine: Engine, record: ParameterRecord, from: number = record.offset): Float32Array {
  const [n0, n1, n2] = record.dims;
  const [s0, s1, s2] = record.strides;
  const source = new Float32Array(engine.memory.buffer, from, n0 * n1 * n2);
  const out = new Float32Array(source.length);
  let at = 0;
  for (let i0 = 0; i0 < n0; i0++)
    for (let i1 = 0; i1 < n1; i1++) for (let i2 = 0; i2 < n2; i2++) out[at++] = source[i0 * s0 + i1 * s1 + i2 * s2]!;
  return out;
}

/** Puts a learnable tensor back, from the checkpoint's own layout. */
export function writeParameter(engine: Engine, record: ParameterRecord, values: Float32Array): void {
  engine.place(record, 0, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 0, 4);
}
