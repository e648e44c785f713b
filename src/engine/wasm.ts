/** The programs that are not JavaScript: found beside our own code (ownfile.ts), or given by a program that has them elsewhere. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hasByteDots, settleArithmetic } from '../base/arithmetic.ts';
import { EngineError, InputError } from '../base/error.ts';
import { findOwn, ownFile } from '../base/ownfile.ts';
import { readLimited } from '../base/reading.ts';
import type { About, Program } from '../program/program.ts';

/** Written out one by one, so that bundlers which copy files along by this form (webpack) see them. */
const BESIDE = {
  'engine.wasm': () => new URL('./engine.wasm', import.meta.url),
  'engine.mt.wasm': () => new URL('./engine.mt.wasm', import.meta.url),
  'engine.fast.wasm': () => new URL('./engine.fast.wasm', import.meta.url),
  'engine.fast.mt.wasm': () => new URL('./engine.fast.mt.wasm', import.meta.url),
  'engine.dots.wasm': () => new URL('./engine.dots.wasm', import.meta.url),
  'engine.dots.mt.wasm': () => new URL('./engine.dots.mt.wasm', import.meta.url),
  's2a.wasm': () => new URL('./s2a.wasm', import.meta.url),
};

/**
 * Names of the engine's builds: for one thread, for several, and both with relaxed SIMD: `fast` fuses sums, `dots` takes bytes' dot products for weights in 8 bits.
 * `s2a.wasm` is what `packJob` packs.
 */
export type EngineFile = keyof typeof BESIDE;
/** A build itself, or where it can be had. */
export type EngineSource = Uint8Array | ArrayBuffer | URL | string;

const given = new Map<EngineFile, Uint8Array<ArrayBuffer>>();

/**
 * Gives builds of the engine as bytes or by address (a `file:` or `http:` URL, or a path), for programs in which they do not lie beside
 * the code: `await useEngine({ 'engine.wasm': bytes })`. One source alone is `engine.wasm`, which is all that one thread needs. Throws
 * InputError for a name that is no build of the engine, bytes that are no WebAssembly, and addresses that cannot be read.
 */
export async function useEngine(sources: EngineSource | Partial<Record<EngineFile, EngineSource>>): Promise<void> {
  const isOne = typeof sources === 'string' || sources instanceof Uint8Array || sources instanceof ArrayBuffer || sources instanceof URL;
  const named: [string, EngineSource][] = isOne ? [['engine.wasm', sources]] : Object.entries(sources);
  const read: [EngineFile, Uint8Array<ArrayBuffer>][] = [];
  for (const [name, source] of named) {
    if (!Object.hasOwn(BESIDE, name))
      throw new InputError({ where: 'useEngine', what: 'no such file', got: name, expected: Object.keys(BESIDE).join(', ') });
    const bytes = await bytesFrom(name, source);
    if (bytes.length < 8 || new DataView(bytes.buffer).getUint32(0, true) !== 0x6d736100)
      throw new InputError({ where: `useEngine: ${name}`, what: 'is no WebAssembly', got: `${bytes.length} bytes` });
    read.push([name as EngineFile, bytes]);
  }
  for (const [name, bytes] of read) given.set(name, bytes);
}

/** What useEngine was given, for a thread of its own. */
export const givenEngines = (): Partial<Record<EngineFile, Uint8Array<ArrayBuffer>>> => Object.fromEntries(given);

/** An engine has some 80 KB. */
const MOST_ENGINE_BYTES = 16 << 20;

async function bytesFrom(name: string, source: EngineSource): Promise<Uint8Array<ArrayBuffer>> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return new Uint8Array(source);
  const refuse = (what: string): never => {
    throw new InputError({ where: `useEngine: ${name}`, what, got: String(source) });
  };
  const text = String(source);
  if (/^https?:/.test(text)) {
    const answer = await fetch(text).catch((error: Error) => refuse(`cannot be fetched: ${error.message}`));
    return answer.ok ? new Uint8Array(await answer.arrayBuffer()) : refuse(`cannot be fetched: status ${answer.status}`);
  }
  try {
    return new Uint8Array(readLimited(/^file:/.test(text) ? fileURLToPath(text) : text, MOST_ENGINE_BYTES, 'an engine'));
  } catch (error) {
    return refuse(`cannot be read (${(error as Error).message})`);
  }
}

function bytesOf(name: EngineFile): Uint8Array<ArrayBuffer> {
  const bytes = given.get(name);
  if (bytes) return bytes;
  return new Uint8Array(readFileSync(ownFile(name, beside(name))));
}

/** In a bundle of CommonJS there is no address to begin with. */
function beside(name: EngineFile): URL | undefined {
  try {
    return BESIDE[name]();
  } catch {
    return undefined;
  }
}

/** Whether there is what several threads need. */
export const hasThreads = (): boolean => isThere('engine.mt.wasm') && findOwn('thread.js') !== undefined;

const isThere = (name: EngineFile): boolean => given.has(name) || findOwn(name, beside(name)) !== undefined;

/**
 * The build of the engine for a program and a number of threads. A program for fused sums is refused where nothing is fused: it
 * would give other bits than it was asked for. One over coded weights gets dot products of bytes where they are to be had: they change no bit.
 */
export function engineBytes(threads = 1, { arithmetic, products }: Pick<About, 'arithmetic' | 'products'> = {}): Uint8Array<ArrayBuffer> {
  const many = threads > 1 ? '.mt' : '';
  const dots: EngineFile = `engine.dots${many}.wasm`;
  const isQuicker = !arithmetic && products !== undefined && hasByteDots() && isThere(dots);
  const bytes = bytesOf(isQuicker ? dots : `engine${arithmetic ? '.fast' : ''}${many}.wasm`);
  if (arithmetic) settleArithmetic('fast');
  return bytes;
}

/** The WASI program, whose memory may grow without end: see withMaximum. */
export const commandBytes = (): Uint8Array<ArrayBuffer> => bytesOf('s2a.wasm');

/** Pages of 64 KiB that the WASI program takes in all for a program file: its own word for it. */
export function commandPages(
  command: Uint8Array<ArrayBuffer>,
  program: Program,
  { fileBytes, epochs }: { fileBytes: number; epochs: number },
): number {
  const module = new WebAssembly.Module(command);
  const none = (): number => 52;
  const imports = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, none]));
  const { pages } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports }).exports as {
    pages(fileBytes: number, tensors: number, epochs: number, classes: number, linearBytes: number): number;
  };
  const tensors = Math.max(program.weights.length, program.parameters.length);
  return pages(fileBytes, tensors, epochs, program.about.classes, program.linearBytes) >>> 0;
}

const MEMORY_SECTION = 5;

/** The same wasm binary, its one memory limited to `pages`. */
export function withMaximum(wasm: Uint8Array, pages: number): Uint8Array {
  /** An unsigned LEB128 number, and where it ends. */
  const number = (at: number): [value: number, next: number] => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return [value, at];
    }
  };
  const encode = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...encode(Math.floor(value / 128))]);
  for (let at = 8; at < wasm.length; ) {
    const [bytes, body] = number(at + 1);
    if (wasm[at] !== MEMORY_SECTION) {
      at = body + bytes;
      continue;
    }
    // One memory; its flags (0: no maximum) and its first size.
    const [first] = number(body + 2);
    const limits = [1, 1, ...encode(first), ...encode(pages)];
    return Uint8Array.from([...wasm.subarray(0, at), MEMORY_SECTION, ...encode(limits.length), ...limits, ...wasm.subarray(body + bytes)]);
  }
  throw new EngineError({ where: 's2a.wasm', what: 'has no memory of its own' });
}
