/** What decodes, by name and version: decoders differ by up to 3 levels, so a cache of prepared pictures belongs to one. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HERE, requireFrom } from '../base/ownfile.ts';

export const require = requireFrom(HERE);

/** Of the decoders that are this project's own: raised where the same file gives other pixels, or one more kind is read. */
const [JPEG_ROWS, PNG] = [2, 2];

/** Read from the packages when asked for, without loading what decodes. */
export const decoderName = (): string =>
  [packageName('@jsquash/jpeg'), `s2a-jpeg ${JPEG_ROWS}`, `png ${PNG}`, packageName('fflate'), packageName('@jsquash/webp')].join(', ');

/** `name version`, from the package.json above the package's entry (its exports may hide that file). */
function packageName(name: string): string {
  let folder = dirname(require.resolve(name));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return `${name} ${version}`;
}
