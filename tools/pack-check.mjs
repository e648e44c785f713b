// The package as a stranger gets it: packs, installs the tarball with its dependencies in an empty folder, and uses the command, the
// library and its types there.   npm run check:pack
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encode } from 'fast-png';

const folder = mkdtempSync(join(tmpdir(), 's2a-pack-'));
const model = resolve('test/golden/vit-hf');
const run = (command, ...args) => execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const fail = (what) => {
  throw new Error(what);
};

try {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).replace(/^[^[]*/, ''),
  );
  const files = packed.files.map((f) => f.path);
  const stray = files.filter((f) => !/^(dist\/|package\.json$|README\.md$|LICENSE$)/.test(f) || /test|\.map$/.test(f));
  if (stray.length > 0) fail(`files that do not belong: ${stray.join(', ')}`);
  for (const f of ['dist/index.js', 'dist/s2a.js', 'dist/decoder.js', 'dist/engine.wasm', 'dist/types/src/index.d.ts', 'LICENSE'])
    if (!files.includes(f)) fail(`${f} is missing`);
  const { scripts = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) if (scripts[script]) fail(`has an install script: ${script}`);

  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  run('npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', packed.filename);
  if (!run('npx', 's2a', '--help').includes('s2a train')) fail('s2a --help says nothing');

  for (const [label, name] of ['dark', 'light'].entries()) {
    mkdirSync(join(folder, 'photos', name), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const data = new Uint8Array(32 * 32 * 3).fill(label * 180 + i * 9);
      writeFileSync(join(folder, 'photos', name, `${i}.png`), encode({ width: 32, height: 32, data, channels: 3, depth: 8 }));
    }
  }
  run('npx', 's2a', 'train', model, 'photos', '--epochs', '2', '--out', 'adapter', '--json');
  const said = run('npx', 's2a', 'predict', model, 'adapter', 'photos/dark/0.png');
  if (!/0\.png {2}(dark|light) /.test(said)) fail(`predict said ${said}`);

  // The types are judged by the project's own compiler, in the stranger's folder; the bundle is run by Node.
  const program = (types) => `import { loadClassifier${types ? ', type Prediction' : ''} } from 's2a';
const classifier = loadClassifier('adapter', { model: ${JSON.stringify(model)}, budget: '16MiB' });
const [best]${types ? ': Prediction[]' : ''} = classifier.predict(new Uint8Array(48), 4, 4);
${types ? '// @ts-expect-error: the types are real\nbest!.nothing;\n' : ''}console.log(best${types ? '!' : ''}.label);\n`;
  writeFileSync(join(folder, 'use.mjs'), program(false));
  if (!/^(dark|light)\n$/.test(run('node', 'use.mjs'))) fail('the library gave no label');
  writeFileSync(join(folder, 'use.ts'), program(true));
  const tsc = resolve('node_modules/typescript/bin/tsc');
  const strict = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--module', 'NodeNext', '--target', 'ES2023'];
  run('node', tsc, ...strict, '--lib', 'ES2023,DOM', '--types', 'node', '--typeRoots', resolve('node_modules/@types'), 'use.ts');

  const installed = Number(run('du', '-sk', 'node_modules').split('\t')[0]);
  const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
  console.log(
    `${packed.filename}: ${files.length} files, ${kib(packed.size)} packed, ${kib(packed.unpackedSize)} unpacked; with its dependencies ${installed} KiB installed`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
