/** The optimizer's state between two rounds of a fleet: what the next one goes on with, where it is asked to. */
import { join } from 'node:path';
import { State } from '../../assembly/abi/head.ts';
import { digest } from '../base/digest.ts';
import { fileExists, writeAtomic } from '../base/files.ts';
import { readLimited } from '../base/reading.ts';
import type { Engine } from '../engine/engine.ts';
import { programDigest } from './runfolder.ts';
import { parametersOf } from './runner.ts';

const FILE = 'optimizer.bin';
/** The program's digest, and of what follows; then the powers of the two betas. */
const [DIGESTS, POWERS] = [128, 16];

/** All of the region behind the parameters: moments, and what lies beside them. */
function restOf({ program, region }: Engine): Uint8Array {
  const { offset, bytes } = parametersOf(program);
  return region.subarray(offset + bytes - program.region.offset);
}

/** Writes it into the folder. */
export function keepOptimizer(folder: string, engine: Engine): void {
  const powers = new Uint8Array(POWERS);
  const view = new DataView(powers.buffer);
  view.setFloat64(0, engine.state.getFloat64(State.Beta1Power, true), true);
  view.setFloat64(8, engine.state.getFloat64(State.Beta2Power, true), true);
  const rest = restOf(engine);
  const head = new TextEncoder().encode(programDigest(engine.program) + digest(powers, rest));
  writeAtomic(join(folder, FILE), (write) => {
    for (const part of [head, powers, rest]) write(part);
  });
}

/** Puts it back before the first step; false where there is none of this very program, or it is damaged: then the state is a fresh one. */
export function restoreOptimizer(folder: string, engine: Engine): boolean {
  const path = join(folder, FILE);
  if (!fileExists(path)) return false;
  const rest = restOf(engine);
  const size = DIGESTS + POWERS + rest.length;
  const file = readLimited(path, Math.max(size, 1 << 20), 'an optimizer’s state');
  const [powers, kept] = [file.subarray(DIGESTS, DIGESTS + POWERS), file.subarray(DIGESTS + POWERS)];
  const said = new TextDecoder().decode(file.subarray(0, DIGESTS));
  if (file.length !== size || said !== programDigest(engine.program) + digest(powers, kept)) return false;
  rest.set(kept);
  const view = new DataView(powers.buffer, powers.byteOffset, POWERS);
  engine.state.setFloat64(State.Beta1Power, view.getFloat64(0, true), true);
  engine.state.setFloat64(State.Beta2Power, view.getFloat64(8, true), true);
  return true;
}
