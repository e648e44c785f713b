export interface Ran {
  code: number | null;
  signal: string | null;
  out: string;
  err: string;
  /** Resident peak of the process in bytes; 0 where it is not known. */
  peak?: number;
  /** Processor time in milliseconds, likewise. */
  ms?: number;
}
export interface Runtime {
  name: string;
  limitsMemory: boolean;
  run(
    wasm: string,
    words: string[],
    options: { folder: string; memory?: number; compiled?: string; stdin?: Uint8Array; timeout?: number },
  ): Ran;
}
export function wasiRuntimes(): Runtime[];
/** A host around Python's wasmtime, and a Python that has it; undefined where there is none. */
export const WASMTIME_RUN: string;
export function wasmtimePython(): string | undefined;
