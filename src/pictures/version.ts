/** Versions of installed packages, for the cache to name its decoder. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HERE, requireFrom } from '../base/ownfile.ts';

export const require = requireFrom(HERE);

/** `name version`, from the package.json above the package's entry (its exports may hide that file). */
export function packageName(name: string): string {
  let folder = dirname(require.resolve(name));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return `${name} ${version}`;
}
