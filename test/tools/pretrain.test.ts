// What pretraining stands on: half floats, initial values, and that nothing that judges was learnt from.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';

const tool = (path: string) => import(pathToFileURL(`tools/${path}`).href);
const { halfBits, toHalf } = await tool('halffloat.mjs');
const { writeNewVit } = await tool('models/newvit.mjs');
const { readIdx } = await tool('pictures/fashion.mjs');
const { allClasses } = await tool('pictures/quickdraw.mjs');
const { DEVELOPMENT, EVALUATION, PRETRAINING } = await tool('pictures/sets.mjs');

const folder = newFolder();

function numberOf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

test('every half float comes back, and what lies between two goes to the nearer, or to the even one', () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    assert.is(halfBits(numberOf(bits)), bits);
    assert.is(halfBits(-numberOf(bits)), bits | 0x8000);
    if (bits === 0x7bff) break;
    const [low, high] = [numberOf(bits), numberOf(bits + 1)];
    const middle = (low + high) / 2;
    const step = (high - low) / 256;
    assert.is(halfBits(middle), bits & 1 ? bits + 1 : bits);
    assert.is(halfBits(middle - step), bits);
    assert.is(halfBits(middle + step), bits + 1);
  }
  assert.is(halfBits(65519), 0x7bff);
  for (const x of [65520, 1e9, Number.POSITIVE_INFINITY, Number.NaN]) assert.throws(() => halfBits(x), /no half-precision number/);
  assert.equal([...toHalf(Buffer.from(Float32Array.of(1, -2).buffer))], [0x00, 0x3c, 0x00, 0xc0]);
});

test('what our ViT learnt from judges nothing', () => {
  const known = new Set(allClasses());
  const seen = new Set(PRETRAINING);
  const held = [...EVALUATION, ...DEVELOPMENT.slice(0, 2)].flat();
  assert.is(seen.size, 295);
  assert.is(new Set([...PRETRAINING, ...held]).size, known.size);
  assert.not(held.some((c: string) => seen.has(c)));
  const judges = new Set(EVALUATION.flat());
  assert.is(judges.size, 30);
  assert.not(DEVELOPMENT.flat().some((c: string) => judges.has(c)));
});

test('a new ViT is the same bytes for the same seed, and others for another', () => {
  const write = (name: string, seed: number) => {
    const path = join(folder, name);
    const parameters = writeNewVit(path, { image: 8, patch: 4, dim: 8, depth: 2, heads: 2 }, seed);
    return { parameters, bytes: readFileSync(join(path, 'model.safetensors')) };
  };
  const [a, b, c] = [write('a', 1), write('b', 1), write('c', 2)];
  assert.ok(a.bytes.equals(b.bytes));
  assert.not(a.bytes.equals(c.bytes));
  // Tokens and positions 8 + 40, patches 392, two blocks of 32 + 4·72 + 288 + 264, a norm.
  assert.is(a.parameters, 8 + 40 + 392 + 2 * (32 + 4 * 72 + 288 + 264) + 16);
});

test('an IDX file of another shape is refused', () => {
  const file = (name: string, ...words: number[]) => {
    const path = join(folder, name);
    const header = Buffer.alloc(4 * words.length);
    for (const [i, word] of words.entries()) header.writeUInt32BE(word, 4 * i);
    writeFileSync(path, gzipSync(Buffer.concat([header, Buffer.from([1, 2, 3, 4])])));
    return path;
  };
  assert.equal([...readIdx(file('good.gz', 0x803, 1, 2, 2), 2, 2)], [1, 2, 3, 4]);
  assert.throws(() => readIdx(file('shape.gz', 0x803, 1, 4, 1), 2, 2), /not an IDX file/);
  assert.throws(() => readIdx(file('short.gz', 0x803, 2, 2, 2), 2, 2), /not an IDX file/);
  assert.throws(() => readIdx(file('kind.gz', 0x801, 4, 0, 0), 2, 2), /not an IDX file/);
  assert.throws(() => readIdx(join(folder, 'nothing.gz')), /dataset-fashion-mnist/);
});

test.run();
