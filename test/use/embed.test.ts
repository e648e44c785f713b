/** Features of a folder as an array: rows, names, and what cannot be read. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openNpy } from '../../src/formats/npy/read.ts';
import { decodePicture } from '../../src/input/decode.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import { embedJob } from '../../src/use/embed.ts';
import { loadEmbedder } from '../../src/use/embedder.ts';
import { colourPng, does, refuses, s2a, VIT } from '../cli/command.ts';
import { newFolder, refusedLater } from '../support/folder.ts';

const root = newFolder();
mkdirSync(join(root, 'in', 'red, dark'), { recursive: true });
writeFileSync(join(root, 'top.png'), colourPng(0, 1));
writeFileSync(join(root, 'in', 'red, dark', 'a.png'), colourPng(2, 2));
writeFileSync(join(root, 'in', 'red, dark', 'b.png'), 'no picture');
writeFileSync(join(root, 'in', 'red, dark', 'c.png'), colourPng(2, 3));
const out = join(newFolder(), 'sub', 'f.npy');

test('a row for each picture that can be read, in order, with its name', async () => {
  const found = await embedJob({ model: VIT, pictures: [root], out });
  assert.equal([found.pictures, found.skipped.map(({ file }) => file)], [3, [join(root, 'in', 'red, dark', 'b.png')]]);
  const table = readFileSync(found.names, 'utf8').split('\n');
  assert.equal(table, [
    'file,label',
    `${join(root, 'top.png')},`,
    `"${join(root, 'in', 'red, dark', 'a.png')}","red, dark"`,
    `"${join(root, 'in', 'red, dark', 'c.png')}","red, dark"`,
    '',
  ]);
  const npy = openNpy(out);
  npy.close();
  assert.equal(npy.shape, [3, found.features]);
  const bytes = readFileSync(out);
  const embedder = loadEmbedder(undefined, { model: VIT });
  const own = embedder.embedPrepared(await decodePicture(readFileSync(join(root, 'top.png')), embedder.preprocess as Preprocess));
  assert.equal(new Float32Array(bytes.buffer.slice(bytes.byteOffset + bytes.length - 3 * own.byteLength)).subarray(0, own.length), own);
});

test('compare: one number, 1 of a picture and itself', () => {
  const [a, b] = [join(root, 'top.png'), join(root, 'in', 'red, dark', 'a.png')];
  assert.is(does('compare', VIT, a, a).stdout, '1.0000\n');
  const score = Number(does('compare', VIT, a, b).stdout);
  assert.ok(score > -1 && score < 1);
  assert.is(Number(JSON.parse(does('compare', VIT, a, b, '--json').stdout).score.toFixed(4)), score);
  refuses(2, ['compare', VIT, a], 'wrong number');
  refuses(2, ['compare', VIT, a, b, a], 'wrong number of pictures');
});

test('what cannot be embedded is one sentence, and leaves no file', async () => {
  const nothing = newFolder();
  await refusedLater(embedJob({ model: VIT, pictures: [nothing], out: join(nothing, 'f.npy') }), 'no picture lies in it');
  await refusedLater(embedJob({ model: VIT, pictures: [root], out: join(nothing, 'f.txt') }), 'no array file');
  const bad = join(root, 'in', 'red, dark', 'b.png');
  await refusedLater(embedJob({ model: VIT, pictures: [bad], out: join(nothing, 'f.npy') }), 'b.png', 'no picture can be used');
  assert.not.ok(existsSync(join(nothing, 'f.npy')));
  refuses(2, ['embed', VIT, root], '--out');
  assert.match(s2a('embed', VIT, bad, join(root, 'top.png'), '--out', out).stderr, /skipped .*b\.png/);
});

test.run();
