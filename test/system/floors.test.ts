/**
 * The rooms of src/, in order: a room is a folder of src/ or a lone file there. A file may import its own room and those before it, never one
 * that comes later, so no two rooms import each other; within a room order is free, but for circles. docs/architecture.md says what each is for.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPS } from '../../src/ops/index.ts';

// biome-ignore format: one a line, so that two changes do not meet
const ROOMS: readonly string[] = [
  'base',
  'graph',
  'formats',
  'ops',
  'task',
  'passes',
  'network',
  'plan',
  'program',
  'engine',
  'pictures',
  'input',
  'import',
  'pipeline',
  'budget',
  'compile.ts',
  'data',
  'training',
  'use',
  'fleet',
  'report',
  'live',
  'index.ts',
];
/** More would be a hall. */
const MOST_ROOMS = 24;
/** What knows no runtime and no package: the same on a board, in a browser, anywhere. */
const PURE: readonly string[] = ['graph', 'ops', 'passes', 'network', 'plan', 'program', 'pipeline'];

/** The contract with the engine is below every room, the programs are above; undefined: outside (tests, tools, benches, examples). */
function floorOf(file: string): number | undefined {
  const [top, room] = file.split('/') as [string, string];
  if (top === 'assembly') return 0;
  if (top === 'targets') return ROOMS.length + 1;
  const at = top === 'src' ? ROOMS.indexOf(room) : -1;
  return at < 0 ? undefined : at + 1;
}
const roomOf = (file: string): string | undefined => (file.startsWith('src/') ? file.split('/')[1] : undefined);

const files = ['assembly/abi', 'assembly/generated', 'assembly/formats', 'assembly/runner', 'src', 'targets']
  .filter(existsSync)
  .flatMap((root) =>
    readdirSync(root, { recursive: true })
      .map((name) => join(root, String(name)))
      // The WASI program is AssemblyScript, its host is not.
      .filter((name) => name.endsWith('.ts') && (!name.startsWith('targets/wasi/') || /\/(host|sandbox)\.ts$|\/host\//.test(name))),
  );

/** What each file imports: paths from the top folder, or names of packages. */
const imports = new Map<string, string[]>();
for (const file of files) {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const names = [/^(?:import|export)\s[\w\s{},*]*?\bfrom '([^']+)'/gm, /^import '([^']+)'/gm, /\bimport\('([^']+)'\)/g]
    .flatMap((form) => [...text.matchAll(form)])
    .map(([, name]) => name!);
  imports.set(
    file,
    names.map((name) => (name.startsWith('.') ? join(dirname(file), name) : name)),
  );
}

const isPath = (name: string) => /\.(ts|json|mjs)$/.test(name);

test('there is something to look at', () => {
  assert.ok(files.length > 200);
  assert.ok(imports.get('src/formats/safetensors.ts')!.includes('src/base/error.ts'));
  assert.ok(imports.get('src/formats/weightsfolder.ts')!.includes('node:path'));
});

test('every room is in the list, every room of the list is there, and there are not too many', () => {
  assert.equal([...readdirSync('src')].sort(), [...ROOMS].sort());
  assert.ok(ROOMS.length <= MOST_ROOMS);
});

test('imports point to earlier rooms', () => {
  const up: string[] = [];
  for (const [file, names] of imports)
    for (const name of names) {
      if (!isPath(name) || name === 'package.json') continue;
      const [from, to] = [floorOf(file), floorOf(name)];
      // Tests, benchmarks, tools and examples look at everything; nothing looks at them.
      if (from === undefined || to === undefined || to > from) up.push(`${file} -> ${name}`);
    }
  assert.equal(up, []);
});

test('no circle', () => {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    assert.not.ok(path.includes(file), [...path, file].join(' -> '));
    if (done.has(file)) return;
    for (const name of imports.get(file) ?? []) visit(name, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test('between the graph and the program nothing knows a runtime or a package', () => {
  const found: string[] = [];
  for (const [file, names] of imports)
    if (PURE.includes(roomOf(file) ?? '')) found.push(...names.filter((name) => !isPath(name)).map((name) => `${file} -> ${name}`));
  assert.equal(found, []);
});

test('the planner knows neither operators nor their names', () => {
  const names = Object.keys(OPS);
  assert.ok(names.includes('CrossEntropy'));
  for (const file of files.filter((f) => /^src\/(plan|budget|passes\/tiling)\//.test(f))) {
    const named = [...readFileSync(file, 'utf8').matchAll(/'([A-Z]\w+)'/g)].map(([, name]) => name!).filter((name) => names.includes(name));
    assert.equal(named, [], file);
  }
  const looks = [...imports].filter(
    ([file, to]) => roomOf(file) === 'plan' && to.some((name) => roomOf(name) === 'ops' || roomOf(name) === 'passes'),
  );
  assert.equal(
    looks.map(([file]) => file),
    [],
  );
});

/** Folders of tests that look at more than one file: against other libraries' numbers, over the whole, at the command line. */
const WIDE = /^test\/(parity|system|house|cases|cli|wasi|tools|assembly)\//;

test("a file's test has its name", () => {
  const tests = readdirSync('test', { recursive: true })
    .map((name) => join('test', String(name)))
    .filter((name) => name.endsWith('.test.ts'));
  assert.ok(tests.length > 100);
  const lost = tests.filter((name) => !WIDE.test(name) && !existsSync(name.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '.ts')));
  assert.equal(lost, []);
});

test.run();
