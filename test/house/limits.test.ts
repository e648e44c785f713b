/**
 * Limits of size: what is longer than a page is read by nobody. They hold for everything that people write, in both languages; tables and what tools
 * generate may be as long as they like.
 */

import type { SourceFile } from 'typescript/unstable/ast';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isDeno, nodeTest } from '../support/runtime.ts';
import { functionsOf, parsed } from './sources.ts';

const [MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS] = [400, 60, 8];

/** Written by tools: the build, and the fitting of tables. */
const GENERATED = /^assembly\/generated\/|^src\/passes\/codebooktables\.ts$/;
/** Functions that are nothing but a list. */
const TABLES: readonly string[] = ['assembly/engine/math.ts writeConstants'];
/** Kernels take addresses and sizes one by one, since a record is an allocation; a system call has the parameters that WASI gave it. */
const BY_POSITION = /^assembly\/(kernels|ridge)[/.]|^assembly\/abi\/ops\/| path_open$/;

/** The parser is Node's alone. */
const read = isDeno ? new Map<string, SourceFile>() : await parsed('test/house/tsconfig.json');
const files = [...read].filter(([path]) => !GENERATED.test(path));
const functions = files.flatMap(([path, file]) => functionsOf(path, file));

nodeTest('both languages are looked at, and what is found there is right', () => {
  for (const root of ['src', 'targets', 'assembly', 'tools', 'bench'])
    assert.ok(files.filter(([path]) => path.startsWith(`${root}/`)).length > 10, root);
  assert.ok(functions.length > 1000);
  const text = new Map(files).get('tools/suite.mjs')!.text.split('\n');
  const [first, last] = [text.findIndex((line) => line.startsWith('export async function runSuite')), text.indexOf('}')];
  const { lines, parameters } = functions.find(({ name }) => name === 'tools/suite.mjs runSuite')!;
  assert.equal([lines, parameters], [last - first + 1, 1]);
});

nodeTest(`no source file is longer than ${MOST_LINES} lines`, () => {
  assert.equal(
    files.filter(([, { text }]) => text.split('\n').length - 1 > MOST_LINES).map(([path]) => path),
    [],
  );
});

nodeTest(`no function is longer than ${MOST_FUNCTION_LINES} lines`, () => {
  const long = functions.filter(({ lines }) => lines > MOST_FUNCTION_LINES);
  const found = long.filter(({ name }) => !TABLES.includes(name));
  assert.equal(
    found.map(({ name, lines }) => `${name}: ${lines}`),
    [],
  );
  for (const table of TABLES)
    assert.ok(
      long.some(({ name }) => name === table),
      `${table} needs no exception`,
    );
});

nodeTest(`no function but a kernel has more than ${MOST_PARAMETERS} positional parameters`, () => {
  assert.equal(
    functions
      .filter(({ name, parameters }) => parameters > MOST_PARAMETERS && !BY_POSITION.test(name))
      .map(({ name, parameters }) => `${name}: ${parameters}`),
    [],
  );
});

test.run();
