/** The house's floors: imports only point down, in no circle, and the compiler's middle knows no runtime. Type imports count as well. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPS } from '../src/ops/index.ts';

/** Files of the top folder of src/ that stand low, by floor; every other one there is part of the seventh. One a line, in order. */
// biome-ignore format: one a line, so that two changes do not meet
const low: Readonly<Record<1 | 2 | 4, readonly string[]>> = {
  1: [
    'activations',
    'bytes',
    'counted',
    'error',
    'files',
    'footprint',
    'json',
    'machine',
    'mix',
    'pretender',
    'reading',
    'tensor',
    'version',
    'visible',
  ],
  2: [
    'check',
    'codebook',
    'digest',
    'graph',
    'keep',
    'otherfiles',
    'pickle',
    'precision',
    'safetensors',
    'tables',
  ],
  4: [
    'backward',
    'pieces',
    'rates',
    'recompute',
    'runs',
    'saved',
    'tile',
    'update',
  ],
};
const top = (floor: 1 | 2 | 4): RegExp => new RegExp(`^src/(${low[floor].join('|')})\\.ts$`);

/** Each floor may import itself and those below. A file that fits none needs a floor here, and in the docs. */
const floors: RegExp[] = [
  /^assembly\/abi\//,
  top(1),
  top(2),
  /^src\/ops\//,
  /^src\/task\//,
  new RegExp(`^src/(models|modules)/|${top(4).source}`),
  /^src\/plan\//,
  /^src\/program\//,
  new RegExp(`^src/(calibrate|data|fidelity|merge|report)/|^src/(?!(index|${Object.values(low).flat().join('|')})\\.ts$)[a-z]+\\.ts$`),
  /^src\/index\.ts$/,
  /^targets\//,
];
const opFloor = floors.findIndex((floor) => floor.test('src/ops/index.ts'));
const planFloor = floors.findIndex((floor) => floor.test('src/plan/place.ts'));
const programFloor = floors.findIndex((floor) => floor.test('src/program/encode.ts'));

const floorOf = (file: string) => floors.findIndex((floor) => floor.test(file));

const files = ['assembly/abi', 'src', 'targets'].filter(existsSync).flatMap((root) =>
  readdirSync(root, { recursive: true })
    .map((name) => join(root, String(name)))
    // The WASI program is AssemblyScript, its host is not.
    .filter((name) => name.endsWith('.ts') && (!name.startsWith('targets/wasi/') || /\/(host|sandbox)\.ts$/.test(name))),
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

test('the lists of low files are true', () => {
  for (const name of Object.values(low).flat()) assert.ok(files.includes(`src/${name}.ts`), name);
});

test('there is something to look at', () => {
  assert.ok(files.length > 20);
  assert.ok(imports.get('src/safetensors.ts')!.includes('src/error.ts'));
  assert.ok(imports.get('src/safetensors.ts')!.includes('node:path'));
});

test('every file stands on a floor', () => {
  assert.equal(
    files.filter((file) => floorOf(file) < 0),
    [],
  );
});

test('imports point down', () => {
  const up: string[] = [];
  for (const [file, names] of imports) {
    for (const name of names) {
      if (!isPath(name) || name === 'package.json') continue;
      const [from, to] = [floorOf(file), floorOf(name)];
      // Tests, benchmarks, tools and examples look at everything; nothing looks at them.
      const outside = to < 0;
      const knowsOps = from === planFloor && (to === opFloor || to === opFloor + 1);
      if (outside || to > from || knowsOps) up.push(`${file} -> ${name}`);
    }
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

test('between the graph and the program nothing knows a runtime or a package (joining paths apart)', () => {
  const found: string[] = [];
  for (const [file, names] of imports) {
    const isPure = /^src\/(graph|check|codebook)\.ts$/.test(file) || (floorOf(file) >= opFloor && floorOf(file) <= programFloor);
    if (isPure) found.push(...names.filter((name) => !isPath(name) && name !== 'node:path').map((name) => `${file} -> ${name}`));
  }
  assert.equal(found, []);
});

test("the planner knows no operator's name", () => {
  const planner = /^src\/(plan\/.*|budget|cut|fit|ladder|pieces|predict|runs|share|sketch|tile)\.ts$/;
  const names = Object.keys(OPS);
  assert.ok(names.includes('CrossEntropy'));
  for (const file of files.filter((f) => planner.test(f))) {
    const named = [...readFileSync(file, 'utf8').matchAll(/'([A-Z]\w+)'/g)].map(([, name]) => name!).filter((name) => names.includes(name));
    assert.equal(named, [], file);
  }
});

test.run();
