/** An adapter as commands take it: its folder, its weights file, or the folder of a watch, whose adapter in use is meant. */
import { InputError } from '../../src/base/error.ts';
import { adapterPath, currentOf, isWatchFolder, readState } from '../../src/live/state.ts';

/** Where the adapter lies. InputError where a watch has none yet. */
export function inUse(path: string): string {
  if (!isWatchFolder(path)) return path;
  const kept = currentOf(readState(path));
  if (kept) return adapterPath(path, kept);
  throw new InputError({ where: path, what: 'is a watch that has accepted no adapter yet' });
}
