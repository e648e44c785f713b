/** Exports of every golden network, by every method: the bytes that onnxruntime has agreed with (tools/onnx-check.mjs --write). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';
import { agreed, exportCases, exportOf } from '../support/onnxcase.ts';

const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const known = agreed();
const cases = exportCases();

test('every case is one that onnxruntime was asked about', () => {
  assert.equal(Object.keys(known).sort(), cases.map(({ name }) => name).sort());
});

for (const one of cases)
  test(`${one.name}: the bytes that onnxruntime agreed with`, () => {
    assert.is(digestOf(exportOf(one, newFolder()).file), known[one.name]);
  });

test.run();
