/** Options as the library's callers write them, `batchSize`, where sentences from within name the command line's flag, `--batch-size`. */
import { nearest } from '../base/error.ts';
import { FORMER, flagOf, SETTINGS, type SettingName } from '../training/settings.ts';

/** Names of options by their flags. */
const names = new Map<string, string>([
  ...(Object.keys(SETTINGS) as SettingName[]).map((name) => [flagOf(name), name] as const),
  ['weights', 'weights'],
  ['depth', 'depth:blocks=N in method'],
  ['last', 'last:blocks=N in method'],
]);

/** A sentence with options in place of flags. */
export const renamed = (text: string): string => text.replace(/--([a-z][a-z-]*[a-z])/g, (flag, name: string) => names.get(name) ?? flag);

/** For an option that is none of `allowed`: what says the same now, if it was one in an earlier version; else the name behind a flag, or the nearest that there is. */
export function hintFor(name: string, allowed: readonly string[]): string | undefined {
  const now = FORMER.get(name);
  if (now !== undefined && allowed.includes(now.name)) return `it is ${now.name}: '${now.value}' now`;
  const byFlag = names.get(name.replace(/^--/, ''));
  const near = byFlag !== undefined && allowed.includes(byFlag) ? byFlag : nearest(name, allowed)[0];
  return near && `did you mean ${near}?`;
}
