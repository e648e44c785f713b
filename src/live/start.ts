/** The adapter that a watch begins with: a copy of one that was trained elsewhere, as round 0. */
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { guarded, makeFolder } from '../base/files.ts';
import { readAdapter } from '../formats/adapterfile.ts';
import { adapterPath, readState, writeState } from './state.ts';

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
  for (const name of readdirSync(source))
    if (statSync(join(source, name)).isFile())
      guarded(join(making, name), 'cannot be written', () => copyFileSync(join(source, name), join(making, name)));
  if (existsSync(to)) rmSync(to, { recursive: true });
  guarded(to, 'cannot be made', () => renameSync(making, to));
  writeState(out, { ...state, kept: [{ number: 0, at: new Date().toISOString(), why: `a copy of ${from}, which the watch began with` }] });
}
