/** The optimizer's state between two rounds of a fleet: what the next one goes on with, where it is asked to. */
import { join } from 'node:path';
import { State } from '../../assembly/abi/head.ts';
import { Rates } from '../../assembly/abi/rates.ts';
import { digest } from '../base/digest.ts';
import { fileExists, writeAtomic } from '../base/files.ts';
import { readLimited } from '../base/reading.ts';
import type { Engine } from '../engine/engine.ts';
import { programDigest } from './runfolder.ts';
import { parametersOf } from './runner.ts';

const FILE = 'optimizer.bin';
/** Hex digits of two digests: the program's, and of the fleet's run with all that follows. */
const DIGESTS = 128;

/** What of the state block goes on, as bytes: the powers of the two betas, and the rates' ranges, which are told of again. */
function wordsOf({ state }: Engine): Uint8Array[] {
  const part = (at: number, bytes: number): Uint8Array => new Uint8Array(state.buffer, state.byteOffset + at, bytes);
  return [part(State.Beta1Power, 8), part(State.Beta2Power, 8), part(State.Rates, 8 * Rates.Groups)];
}

/** All of the region behind the parameters: moments, rates, and what else lies there. */
function restOf({ program, region }: Engine): Uint8Array {
  const { offset, bytes } = parametersOf(program);
  return region.subarray(offset + bytes - program.region.offset);
}

/** Writes it into the folder, as that of this run of a fleet. */
export function keepOptimizer(folder: string, engine: Engine, run: string): void {
  const parts = [...wordsOf(engine), restOf(engine)];
  const head = new TextEncoder().encode(programDigest(engine.program) + digest(run, ...parts));
  writeAtomic(join(folder, FILE), (write) => {
    for (const part of [head, ...parts]) write(part);
  });
}

/** Puts it back before the first step; false where there is none of this very program and run, or it is damaged: then the state is a fresh one. */
export function restoreOptimizer(folder: string, engine: Engine, run: string): boolean {
  const path = join(folder, FILE);
  if (!fileExists(path)) return false;
  const parts = [...wordsOf(engine), restOf(engine)];
  const size = parts.reduce((n, { length }) => n + length, DIGESTS);
  const file = readLimited(path, Math.max(size, 1 << 20), 'an optimizer’s state');
  const said = new TextDecoder().decode(file.subarray(0, DIGESTS));
  if (file.length !== size || said !== programDigest(engine.program) + digest(run, file.subarray(DIGESTS))) return false;
  let at = DIGESTS;
  for (const part of parts) {
    part.set(file.subarray(at, at + part.length));
    at += part.length;
  }
  return true;
}
