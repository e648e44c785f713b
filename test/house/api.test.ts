/** The reference of the library is what the sources say, and they say enough: a sentence for every public name, its errors, shapes and units. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Entry } from '../../tools/api.mjs';
import { isDeno, nodeTest } from '../support/runtime.ts';

/** The compiler's interface is Node's alone, so it is loaded where it is used; the sources are read once. */
const { apiPage, readApi } = isDeno ? {} : await import('../../tools/api.mjs');
const entries = readApi?.() ?? new Map<string, Entry>();
const names = [...entries.values()].filter(({ isExported }) => isExported);

nodeTest('docs/api.md is what the sources say', () => {
  assert.is(readFileSync('docs/api.md', 'utf8'), apiPage?.(entries), 'npm run api writes it');
});

nodeTest('every public name, and every member of it, has a sentence', () => {
  assert.ok(names.length > 60);
  const bare = names.flatMap(({ name, doc, members }) => [
    ...(doc === '' ? [name] : []),
    ...members.filter((member) => member.doc === '').map((member) => `${name}.${member.name}`),
  ]);
  assert.equal(bare, []);
});

nodeTest('every public function says what it throws', () => {
  const silent = names.filter(({ kind, doc }) => kind === 'function' && !/\bthrows?\b/i.test(doc));
  assert.equal(
    silent.map(({ name }) => name),
    [],
  );
});

nodeTest('arrays of numbers have a shape, or bytes; numbers a unit, in their name or in words', () => {
  const SHAPE = /·|\[[a-zA-Z]|\bbytes?\b|\bby (offset|channel|row|class)\b|\bnumbers\b|\bstate\b/i;
  const UNIT =
    /byte|pixel|picture|epoch|step|second|\bms\b|milli|share|percent|rate|norm|cosine|bits?\b|how (many|often)|number|index|threads|classes|class\b|blocks?|pass|factor|loss|threshold|0 … 1|seed|λ|tensors|layers|\bx\b|error|over |mean|times|code/i;
  const lacking = names.flatMap(({ name, members }) =>
    members.flatMap((member) => {
      const isArray = /\b(Uint8|Uint8Clamped|Float32|Int32|Uint32)Array\b|\bDataView\b/.test(member.type);
      const isNumber = /^number\b/.test(member.type);
      const says = `${member.name} ${member.doc}`;
      return (isArray && !SHAPE.test(says)) || (isNumber && !UNIT.test(says)) ? [`${name}.${member.name}`] : [];
    }),
  );
  assert.equal(lacking, []);
});

test.run();
