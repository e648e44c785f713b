// Writes the PNG files of test/support/pngs.ts with clear colours: node tools/golden/pngfiles.mjs FOLDER
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
const outfile = 'build/pngs.mjs';
await build({ entryPoints: ['test/support/pngs.ts'], bundle: true, platform: 'node', format: 'esm', outfile, logLevel: 'error' });
const { kinds, nameOf, png } = await import(new URL('../../build/pngs.mjs', import.meta.url).href);
for (const kind of kinds) writeFileSync(join(folder, `${nameOf(kind)}.png`), png(kind, false, { clear: true }));
