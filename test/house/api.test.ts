/** The reference of the library is what the sources say, and they say enough: a sentence for every public name, its errors, shapes and units. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULTS } from '../../src/base/defaults.ts';
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

nodeTest('a default that documentation names is the one that holds', () => {
  const texts = names.flatMap(({ name, members }) => members.map(({ name: member, doc }) => ({ name, doc, member })));
  const said = texts.flatMap(({ name, doc, member }) => {
    const [, value] = /`?([\w.]+(?: MiB)?)`? where absent/.exec(doc) ?? [];
    return value !== undefined && Object.hasOwn(DEFAULTS, member)
      ? [{ name: `${name}.${member}`, value, holds: DEFAULTS[member as keyof typeof DEFAULTS] }]
      : [];
  });
  assert.ok(said.length >= 8, JSON.stringify(said));
  // What is compiled directly reserves scratch for one thread, and computes nothing again.
  const own = ['CompileOptions.maxThreads', 'CompileOptions.recompute'];
  for (const { name, value, holds } of said.filter(({ name }) => !own.includes(name)))
    assert.is(
      value.endsWith(' MiB') ? Number.parseInt(value, 10) << 20 : value,
      typeof holds === 'number' && !value.endsWith(' MiB') ? String(holds) : holds,
      name,
    );
});

test.run();
