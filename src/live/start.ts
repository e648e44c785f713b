/** What a watch begins with: its model, and a copy of an adapter that was trained elsewhere, as round 0. */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { guarded, makeFolder, openFile, writeAtomic } from '../base/files.ts';
import { checkBase, readAdapter } from '../formats/adapterfile.ts';
import { identity, openModelFolder, openWeights } from '../import/modelfolder.ts';
import { adapterPath, currentOf, readState, writeState } from './state.ts';
import type { WatchOptions } from './watchtypes.ts';

/** Bytes that are copied at once. */
const PIECE = 1 << 20;

/** Copies it where the watch has no adapter yet; InputError where it is none. */
export function copyAdapter(out: string, from: string): void {
  const state = readState(out);
  if (state.kept.length > 0 || state.next > 1) return;
  const { path, weights } = readAdapter(from);
  weights.close();
  const to = adapterPath(out, { number: 0 });
  const making = `${to}.making`;
  rmSync(making, { recursive: true, force: true });
  makeFolder(making);
  const source = dirname(path);
  for (const name of readdirSync(source)) if (statSync(join(source, name)).isFile()) copyFile(join(source, name), join(making, name));
  if (existsSync(to)) rmSync(to, { recursive: true });
  guarded(to, 'cannot be made', () => renameSync(making, to));
  writeState(out, { ...state, kept: [{ number: 0, at: new Date().toISOString(), why: `a copy of ${from}, which the watch began with` }] });
}

/** In pieces, however large it is. */
function copyFile(from: string, to: string): void {
  const source = openFile(from);
  try {
    writeAtomic(to, (write) => {
      for (let at = 0; at < source.size; at += PIECE) {
        const piece = new Uint8Array(Math.min(PIECE, source.size - at));
        source.readAt(at, piece);
        write(piece);
      }
    });
  } finally {
    source.close();
  }
}

/** InputError where there is no such model, or the adapter in use is of another: no round could get over that. */
export function checkModel(out: string, job: WatchOptions['job']): void {
  const kept = currentOf(readState(out));
  if (kept === undefined) {
    openWeights(openModelFolder(job.model, job.imageSize), { method: job.method }).close();
    return;
  }
  const adapter = readAdapter(adapterPath(out, kept));
  adapter.weights.close();
  const base = openModelFolder(job.model, adapter.base.imageSize);
  const weights = openWeights(base, { method: adapter.method });
  try {
    checkBase(adapter, identity(base, weights));
  } finally {
    weights.close();
  }
}
