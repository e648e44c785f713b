/** PNG of every colour type, depth and order of rows against Pillow's pixels (tools/golden/pngs.py). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture } from '../../src/input/decode.ts';
import { decodeBytes, readHeader } from '../../src/pictures/header.ts';
import { asIs } from '../support/pattern.ts';
import { exifBlock } from '../support/photo.ts';
import { chunk, type Extra, type Kind, kinds, nameOf, png } from '../support/pngs.ts';

const golden = JSON.parse(readFileSync('test/golden/pictures/pngs.json', 'utf8')) as Record<string, string>;
const reading = (bytes: Uint8Array, { width, height }: Kind) => decodePicture(bytes, asIs(width, height));
const sum = (pixels: Uint8Array) => createHash('sha256').update(pixels).digest('hex').slice(0, 16);
const refused = async (bytes: Uint8Array, kind: Kind): Promise<string> =>
  reading(bytes, kind).then(
    () => 'read',
    (error: Error) => error.message,
  );

for (const interlaced of [false, true]) {
  test(`${interlaced ? 'interlaced' : 'row by row'}: every colour type and depth is decoded as Pillow does, clear colours or none`, async () => {
    assert.is(kinds.length, Object.keys(golden).length);
    for (const kind of kinds) {
      for (const clear of [false, true]) {
        const name = nameOf(kind);
        assert.is(sum(await reading(png(kind, interlaced, { clear }), kind)), golden[name], `${name}${clear ? ', clear' : ''}`);
      }
    }
  });
}

const photo: Kind = { type: 2, depth: 8, width: 33, height: 29 };

test('chunks that say nothing about the pixels are passed over, odd ones too, interlaced or not', async () => {
  const text = (words: string) => new Uint8Array(Buffer.from(words, 'latin1'));
  const odd: Extra = {
    before: [
      chunk('tEXt', text('no separator')),
      chunk('tEXt', text('\0empty key')),
      chunk('iCCP', text('broken\0\0not deflated')),
      chunk('pHYs', new Uint8Array(3)),
      chunk('gAMA', new Uint8Array(0)),
      chunk('eXIf', new Uint8Array(5)),
      chunk('zzZz', new Uint8Array(40)),
      chunk('tRNS', new Uint8Array(1)),
      chunk('PLTE', new Uint8Array(7)),
    ],
    after: [chunk('tIME', new Uint8Array(1)), chunk('zTXt', text('x'))],
  };
  for (const interlaced of [false, true]) assert.is(sum(await reading(png(photo, interlaced, odd), photo)), golden[nameOf(photo)]);
});

test('EXIF turns a PNG, in front of the data or behind, in both byte orders, as SHORT or LONG', async () => {
  const plain = await reading(png(photo, false), photo);
  const turned = async (block: Uint8Array, behind: boolean) => {
    const exif = [chunk('eXIf', block)];
    return decodePicture(png(photo, false, behind ? { after: exif } : { before: exif }), asIs(29, 33));
  };
  const want = new Uint8Array(plain.length);
  // Orientation 6: the upright picture's top right corner is stored first.
  for (let y = 0; y < 33; y++) {
    for (let x = 0; x < 29; x++) want.set(plain.subarray(((28 - x) * 33 + y) * 3, ((28 - x) * 33 + y) * 3 + 3), (y * 29 + x) * 3);
  }
  for (const little of [true, false]) {
    for (const type of [3, 4, 8, 9]) assert.equal(await turned(exifBlock(6, little, type), type > 4), want, `type ${type}`);
    // A number of another type, or none of the eight: as it lies.
    for (const block of [exifBlock(6, little, 2), exifBlock(9, little, 4), exifBlock(0x60006, little, 4)])
      assert.equal(await reading(png(photo, false, { before: [chunk('eXIf', block)] }), photo), plain);
  }
});

test('damage is said, and a palette holds 256 colours at the most', async () => {
  const indexed: Kind = { type: 3, depth: 8, width: 5, height: 9 };
  const whole = png(photo, true);
  assert.match(await refused(whole.subarray(0, whole.length - 60), photo), /truncated/);
  const bad = whole.slice();
  bad[bad.length - 100]! ^= 4;
  assert.match(await refused(bad, photo), /wrong checksum/);
  const many = png(indexed, true, { before: [chunk('PLTE', new Uint8Array(3000))] });
  assert.match(await refused(many, indexed), /more than 256 colours/);
  const few = png(indexed, true, { before: [chunk('PLTE', new Uint8Array(3))] });
  assert.match(await refused(few, indexed), /outside its palette/);
});

test('an interlaced picture takes a byte a sample beside its file', () => {
  const header = readHeader(png({ type: 6, depth: 16, width: 33, height: 29 }, true));
  const large = { ...header, width: 4000, height: 3000 };
  // Beside it 24 MiB that inflating leaves until it is collected, and a few rows.
  assert.ok(decodeBytes(large, 0) <= 3 * 12e6 + 26 * 2 ** 20);
});

test.run();
