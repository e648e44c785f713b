/** The file of remembered pictures: what was written comes back for its adapter, and nothing that is damaged is believed. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type AdapterFile, adapterDigest, readAdapter, writeAdapter } from '../../src/formats/adapterfile.ts';
import { ENTRY_BYTES, FILE_BYTES, MEMORY, type Memory, readMemory, writeMemory } from '../../src/formats/memoryfile.ts';
import { newFolder, refused } from '../support/folder.ts';

const folder = newFolder();
const info = {
  method: 'bias',
  base: { type: 'vit', digest: 'a'.repeat(64), imageSize: [8, 8] as const },
  precision: 'f32' as const,
  head: ['classifier.bias'],
  labels: ['cat', 'dog'],
  preprocessing: {},
  createdBy: 's2a test',
};
writeAdapter(folder, info, [{ name: 'classifier.bias', dtype: 'F32', shape: [2], data: new Uint8Array(8) }]);
const adapter: AdapterFile = readAdapter(folder);
const digest = adapterDigest(adapter);
const memory: Memory = {
  budget: 4096,
  shape: [8, 8, 3],
  entries: [
    { label: 0, isJudge: false, code: Uint8Array.of(1, 2, 3) },
    { label: 0, isJudge: true, code: Uint8Array.of(4) },
    { label: 1, isJudge: false, code: Uint8Array.of(5, 6) },
  ],
};
const path = join(folder, MEMORY);

test('what was written comes back, and takes no more than is reckoned', () => {
  const bytes = writeMemory(folder, digest, memory);
  assert.is(bytes, statSync(path).size);
  assert.ok(bytes <= FILE_BYTES + 3 * ENTRY_BYTES + 6);
  const back = readMemory(adapter)!;
  assert.equal({ ...back, entries: back.entries.map((entry) => ({ ...entry, code: entry.code.slice() })) }, memory);
});

test("another adapter's is none", () => {
  writeMemory(folder, 'b'.repeat(64), memory);
  assert.is(readMemory(adapter), undefined);
  assert.is(readMemory({ ...adapter, path: join(newFolder(), 'adapter_model.safetensors') }), undefined);
});

test('what is damaged is refused by name', () => {
  writeMemory(folder, digest, memory);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 1));
  refused(() => readMemory(adapter), MEMORY);
  for (const [label, length] of [
    [2, 3],
    [-1, 3],
    [0, 300],
    [0, 0],
  ] as const) {
    writeMemory(folder, digest, { ...memory, entries: [{ label, isJudge: false, code: new Uint8Array(length) }] });
    const file = readFileSync(path);
    if (length === 300) file.writeInt32LE(301, file.length - 300 - 4);
    writeFileSync(path, file);
    refused(() => readMemory(adapter), `${MEMORY}: bad entries`);
  }
  writeMemory(folder, digest, memory);
  const saying = (version: number): void => {
    const file = readFileSync(path);
    file.write(String(version), file.indexOf('version') + 'version":'.length + 1);
    writeFileSync(path, file);
  };
  saying(3);
  refused(() => readMemory(adapter), 'bad version', 'got 3', 'expected 1 or 2');
  saying(1);
  assert.equal(readMemory(adapter)!.entries.length, memory.entries.length);
  writeMemory(folder, digest, { ...memory, shape: [8, 0, 3] });
  refused(() => readMemory(adapter), 'bad shape');
});

test.run();
