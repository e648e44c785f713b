/** The two programs that are not JavaScript: beside the bundle in dist/, or in the checkout's build/. */
import { readFileSync } from 'node:fs';
import { EngineError, InputError } from './error.ts';
import { firstFile } from './files.ts';
import type { About, Program } from './program/program.ts';

function bytesOf(name: string): Uint8Array<ArrayBuffer> {
  const places = ['./', '../build/', '../', '../../'].map((place) => place + name);
  const url = firstFile(places, import.meta.url);
  if (url) return new Uint8Array(readFileSync(url));
  throw new EngineError({ where: name, what: 'is missing', hint: 'run npm run build' });
}

/**
 * The build of the engine for a program and a number of threads. A program for relaxed SIMD is refused where the runtime has none: the plain
 * build would give other bits than it was asked for.
 */
export function engineBytes(threads = 1, { arithmetic }: Pick<About, 'arithmetic'> = {}): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(`engine${arithmetic ? '.fast' : ''}${threads > 1 ? '.mt' : ''}.wasm`);
  if (arithmetic && !WebAssembly.validate(bytes))
    throw new InputError({
      where: '--fast',
      what: 'this runtime has no relaxed SIMD',
      got: runtimeName(),
      expected: 'Node 22 or newer, or Deno',
      hint: 'leave --fast out; an adapter is as good without it',
    });
  return bytes;
}

const runtimeName = (): string => (process.versions.deno ? `Deno ${process.versions.deno}` : `Node ${process.versions.node}`);

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
