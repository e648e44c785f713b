/** Grey and RGBA pictures against Pillow's convert('L') and convert('RGBA'), resized or not (tools/golden/channels.py). */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture } from '../../src/input/decode.ts';
import { type Preprocess, resizePacked } from '../../src/input/preprocess.ts';
import { readHeader } from '../../src/pictures/header.ts';
import type { Resample } from '../../src/pictures/resample.ts';
import { apart, asIs } from '../support/pattern.ts';
import { kinds, nameOf, png } from '../support/pngs.ts';

const folder = 'test/golden/pictures';
const golden = JSON.parse(readFileSync(`${folder}/channels.json`, 'utf8')) as {
  convert: Record<string, { L: string; RGBA: string }>;
  rgba: string;
  resize: { to: [number, number]; resample: Resample; L: string; RGBA: string }[];
};
const sum = (pixels: Uint8Array) => createHash('sha256').update(pixels).digest('hex').slice(0, 16);
const of = (channels: number, spec: Preprocess): Preprocess => ({
  ...spec,
  mean: Array<number>(channels).fill(0),
  std: Array<number>(channels).fill(1),
});

async function agrees(name: string, bytes: Uint8Array): Promise<void> {
  const { width, height } = readHeader(bytes);
  const want = golden.convert[name]!;
  const grey = await decodePicture(bytes, of(1, asIs(width, height)));
  if (name.endsWith('.jpg')) {
    const d = apart(grey, Buffer.from(want.L, 'base64'));
    assert.ok(d <= 2, `${name}: grey is ${d} levels apart`);
    const rgba = await decodePicture(bytes, of(4, asIs(width, height)));
    assert.ok(
      rgba.every((v, i) => i % 4 !== 3 || v === 255),
      `${name} is opaque`,
    );
    return;
  }
  assert.is(sum(grey), want.L, `${name} as grey`);
  assert.is(sum(await decodePicture(bytes, of(4, asIs(width, height)))), want.RGBA, `${name} as RGBA`);
}

test('PNG of every colour type and depth, with clear colours, interlaced or not', async () => {
  for (const kind of kinds)
    for (const interlaced of [false, true]) await agrees(`${nameOf(kind)}.png`, png(kind, interlaced, { clear: true }));
});

test('pictures of every kind of file', async () => {
  const names = Object.keys(golden.convert).filter((name) => existsSync(`${folder}/${name}`));
  assert.ok(names.length > 15);
  for (const name of names) await agrees(name, readFileSync(`${folder}/${name}`));
});

test('colours are resized by what is seen of them', () => {
  const rgba = Buffer.from(golden.rgba, 'base64');
  for (const { to, resample, ...want } of golden.resize) {
    const spec: Preprocess = { ...asIs(0, 0), resample, resize: { mode: 'exact', width: to[0], height: to[1] } };
    assert.is(apart(resizePacked(rgba, 42, 31, of(1, spec)), Buffer.from(want.L, 'base64')), 0, `L to ${to} by ${resample}`);
    assert.is(apart(resizePacked(rgba, 42, 31, of(4, spec)), Buffer.from(want.RGBA, 'base64')), 0, `RGBA to ${to} by ${resample}`);
  }
});

test('an application may hand over grey as it is to a network of one channel', () => {
  const grey = Uint8Array.from({ length: 12 }, (_, i) => 20 * i);
  assert.equal([...resizePacked(grey, 4, 3, of(1, asIs(4, 3)))], [...grey]);
  assert.throws(() => resizePacked(grey, 4, 3, asIs(4, 3)), /wrong number of bytes for 4×3 RGB or RGBA, got 12/);
});

test.run();
