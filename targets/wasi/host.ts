/**
 * A small WASI preview1 host: runs a command compiled to WebAssembly with the folders it was given, and nothing else (sandbox.ts).
 * Node's own stays experimental and crashes on versions that this project supports; this one runs in Node and Deno alike.
 */
import { closeSync } from 'node:fs';
import { readingAndWriting } from './host/bytes.ts';
import { aboutDescriptors, folders } from './host/descriptors.ts';
import { paths } from './host/paths.ts';
import { Exit, processFunctions } from './host/process.ts';
import { createWorld, type WasiOptions, type Word } from './host/world.ts';
import { ERRNO } from './sandbox.ts';

export type { WasiOptions } from './host/world.ts';

/** Runs the program's `_start` and returns its exit code; a trap is thrown on. */
export function runWasi(wasm: Uint8Array<ArrayBuffer> | WebAssembly.Module, options: WasiOptions): number {
  const module = wasm instanceof WebAssembly.Module ? wasm : new WebAssembly.Module(wasm);
  const wasi = createWasi(options);
  const imports: Record<string, Call> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from !== 'wasi_snapshot_preview1') throw new TypeError(`the program imports ${from}.${name}, which is not WASI preview1`);
    imports[name] = wasi.calls[name] ?? (() => ERRNO.ENOSYS);
  }
  try {
    const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
    wasi.memory = exports.memory as WebAssembly.Memory;
    (exports._start as () => void)();
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.status;
    throw error;
  } finally {
    wasi.close();
  }
}

export type Call = (...args: (number | bigint)[]) => number;
export interface Wasi {
  /** The functions of preview1 by name; each returns an errno. */
  calls: Readonly<Record<string, Call>>;
  /** The program's; it is set before the first call. */
  memory: WebAssembly.Memory;
  /** Closes what the program left open. */
  close(): void;
}

/** The functions of preview1 over one program's memory. */
export function createWasi(options: WasiOptions): Wasi {
  const world = createWorld(options);
  const functions = {
    ...processFunctions(world),
    ...aboutDescriptors(world),
    ...folders(world),
    ...readingAndWriting(world),
    ...paths(world),
  };
  return {
    calls: Object.fromEntries(Object.entries(functions).map(([name, action]) => [name, guarded(action)])),
    get memory() {
      return world.memory();
    },
    set memory(its) {
      world.setMemory(its);
    },
    close() {
      for (const found of world.open.values()) if (found.kind === 'file') closeSync(found.fd);
      world.open.clear();
    },
  };
}

/** A function of preview1 as the program calls it. */
const guarded =
  (action: (...args: Word[]) => void): Call =>
  (...args) => {
    try {
      // Addresses arrive as signed numbers.
      action(...(args.map((arg) => (typeof arg === 'number' ? arg >>> 0 : arg)) as Word[]));
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  };

/** The number for an error on its way back into the program; what is no error of the system's goes on up. */
function errnoOf(error: unknown): number {
  // An address or a length outside the program's memory.
  if (error instanceof RangeError) return ERRNO.EFAULT;
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof Exit || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return ERRNO[code as keyof typeof ERRNO] ?? ERRNO.EIO;
}
