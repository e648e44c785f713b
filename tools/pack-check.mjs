// The package as a stranger gets it: packs, installs the tarball with its dependencies in an empty folder, and uses the command, the
// library and its types there, and the library in bundles of their own.   npm run check:pack
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { encode } from 'fast-png';

const folder = mkdtempSync(join(tmpdir(), 's2a-pack-'));
const model = resolve('test/golden/vit-hf');
const run = (command, ...args) => execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const fail = (what) => {
  throw new Error(what);
};

/** What README and docs lead to is in the package too; what they lead to in the repository alone is code. */
function linksLead(files) {
  const isCode = (path) => /^(src|assembly|targets|tools|test|bench|models)(\/|$)|^(CONTRIBUTING|SECURITY)\.md$/.test(path);
  for (const page of files.filter((f) => f.endsWith('.md')))
    for (const [, link] of readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)) {
      const path = join(dirname(page), link);
      if (!files.includes(path) && !files.some((f) => f.startsWith(`${path}/`)) && !isCode(path))
        fail(`${page} leads to ${path}, which is not packed`);
    }
}

/** The library inside other people's bundles: beside node_modules, and far from it, where the engine has to be given. */
async function bundles() {
  const far = mkdtempSync(join(tmpdir(), 's2a-far-'));
  try {
    writeFileSync(
      join(folder, 'bundled.mjs'),
      `import { readFileSync } from 'node:fs';
import { loadClassifier, trainJob, useEngine } from 's2a';
const [, , folder, ...words] = process.argv;
const model = ${JSON.stringify(model)};
async function main() {
  if (words.includes('train')) await trainJob({ model, data: folder + '/photos', out: folder + '/bundled', epochs: 1 });
  const engine = folder + '/node_modules/s2a/dist/engine.wasm';
  if (words.includes('bytes')) await useEngine(readFileSync(engine));
  if (words.includes('address')) await useEngine({ 'engine.wasm': new URL('file://' + engine) });
  console.log(loadClassifier(folder + '/adapter', { model, budget: '16MiB', threads: 'auto' }).predict(new Uint8Array(48), 4, 4)[0].label);
}
main().catch((error) => { console.log(error.message); process.exitCode = 1; });
`,
    );
    for (const format of /** @type {const} */ (['esm', 'cjs'])) {
      const name = format === 'esm' ? 'bundle.mjs' : 'bundle.cjs';
      const entryPoints = [join(folder, 'bundled.mjs')];
      await build({
        entryPoints,
        outfile: join(folder, name),
        bundle: true,
        platform: 'node',
        format,
        logLevel: 'error',
        absWorkingDir: folder,
      });
      const said = (where, ...words) => {
        const { stdout, stderr } = spawnSync('node', [join(where, name), folder, ...words], { cwd: where, encoding: 'utf8' });
        return stdout || stderr;
      };
      if (!/^(dark|light)\n$/.test(said(folder, 'train'))) fail(`bundled as ${format}, it said ${said(folder, 'train')}`);
      writeFileSync(join(far, name), readFileSync(join(folder, name)));
      const missing = said(far);
      if (!/^engine\.wasm: is missing beside .*; copy it there .* useEngine/.test(missing))
        fail(`without the engine, ${format} said ${missing}`);
      for (const how of ['bytes', 'address'])
        if (!/^(dark|light)\n$/.test(said(far, how))) fail(`with the engine's ${how}, ${format} said ${said(far, how)}`);
      // The sentence is true.
      for (const file of ['engine.wasm']) writeFileSync(join(far, file), readFileSync(join(folder, 'node_modules/s2a/dist', file)));
      if (!/^(dark|light)\n$/.test(said(far))) fail(`with the engine copied beside it, ${format} said ${said(far)}`);
      rmSync(join(far, 'engine.wasm'));
    }
  } finally {
    rmSync(far, { recursive: true, force: true });
  }
}

try {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).replace(/^[^[]*/, ''),
  );
  const files = packed.files.map((f) => f.path);
  const stray = files.filter(
    (f) =>
      !/^(dist\/|docs\/|examples\/|targets\/flower\/|package\.json$|(README|CHANGELOG)\.md$|LICENSE$)/.test(f) ||
      /(^|\/)test|\.map$/.test(f),
  );
  if (stray.length > 0) fail(`files that do not belong: ${stray.join(', ')}`);
  const wanted = [
    'docs/s2a-train.service',
    'docs/checkpoints.md',
    'examples/personalise.mjs',
    'dist/engine.mt.wasm',
    'dist/s2a.wasm',
    'dist/thread.js',
    'dist/train.js',
    'dist/round.js',
  ];
  for (const f of [
    ...wanted,
    'dist/index.js',
    'dist/s2a.js',
    'dist/decoder.js',
    'dist/engine.wasm',
    'dist/types/src/index.d.ts',
    'LICENSE',
  ])
    if (!files.includes(f)) fail(`${f} is missing`);
  const about = JSON.parse(readFileSync('package.json', 'utf8'));
  const { scripts = {} } = about;
  for (const field of ['description', 'license', 'keywords', 'engines', 'bin', 'exports'])
    if (!about[field]) fail(`package.json has no ${field}`);
  for (const file of Object.values(about.exports).flatMap((e) => (typeof e === 'string' ? e : Object.values(e))))
    if (file !== './package.json' && !files.includes(file.slice(2))) fail(`${file}, which exports names, is missing`);
  linksLead(files);
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

  await bundles();

  const installed = Number(run('du', '-sk', 'node_modules').split('\t')[0]);
  const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
  console.log(
    `${packed.filename}: ${files.length} files, ${kib(packed.size)} packed, ${kib(packed.unpackedSize)} unpacked; with its dependencies ${installed} KiB installed`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
