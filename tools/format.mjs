// Formats AssemblyScript as biome formats the rest, or says what is not formatted:
//
//     node tools/format.mjs [--write]      part of npm run format, and without --write of npm run lint
//
// Biome refuses decorators on functions, which AssemblyScript has (`@inline function`). They are handed to it as comments, all files at once in a
// folder of their own, and put back.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';

/** Elsewhere, since its configuration would count as part of ours. */
const WORK = mkdtempSync(join(tmpdir(), 's2a-format-'));
const BIOME = resolve('node_modules/@biomejs/biome/bin/biome');
/** Generated, and files of a folder of AssemblyScript that biome formats itself. */
const APART = /^assembly\/generated\/|^targets\/wasi\/((host|sandbox)\.ts$|host\/)|\.d\.ts$/;

const files = ['assembly', 'targets/wasi'].flatMap((root) =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => join(root, name))
    .filter((path) => path.endsWith('.ts') && !APART.test(path)),
);
const hidden = (text) => text.replace(/^( *)@(\w+(?:\([^)\n]*\))?)(?=\s)/gm, '$1/*@$2*/');
const shown = (text) => text.replace(/\/\*@(\w+(?:\([^)\n]*\))?)\*\//g, '@$1');

for (const path of files) {
  mkdirSync(dirname(join(WORK, path)), { recursive: true });
  writeFileSync(join(WORK, path), hidden(readFileSync(path, 'utf8')));
}
const { formatter, javascript } = JSON.parse(readFileSync('biome.json', 'utf8'));
writeFileSync(
  join(WORK, 'biome.json'),
  JSON.stringify({ root: true, formatter, javascript, linter: { enabled: false }, assist: { enabled: false } }),
);
const { status, stdout, stderr } = spawnSync(process.execPath, [BIOME, 'format', '--write', '.'], { cwd: WORK, encoding: 'utf8' });
if (status !== 0) throw new Error(`biome format: ${stdout}${stderr}`);
const formatted = new Map(files.map((path) => [path, shown(readFileSync(join(WORK, path), 'utf8'))]));
rmSync(WORK, { recursive: true, force: true });

const other = files.filter((path) => formatted.get(path) !== readFileSync(path, 'utf8'));
if (process.argv.includes('--write')) for (const path of other) writeFileSync(path, formatted.get(path) ?? '');
else if (other.length > 0) {
  console.log(`${other.join('\n')}\n${other.length} of ${files.length} files are not formatted: npm run format`);
  process.exit(1);
}
