/** WebP beside its pixels, which decode.test.ts compares with Pillow's: chunks, orientation, memory, damage. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture } from '../../src/input/decode.ts';
import { decodeBytes, readHeader } from '../../src/pictures/header.ts';
import { apart, asIs } from '../support/pattern.ts';
import { exifBlock } from '../support/photo.ts';

const folder = 'test/golden/pictures';
const read = (name: string) => new Uint8Array(readFileSync(`${folder}/${name}`));
const [WIDTH, HEIGHT] = [26, 17];
const reason = async (bytes: Uint8Array, limit?: number): Promise<string> =>
  decodePicture(bytes, asIs(WIDTH, HEIGHT), limit).then(
    () => 'read',
    (error: Error) => `${error.name}: ${error.message}`,
  );

function chunk(name: string, data: Uint8Array): Uint8Array {
  const head = Buffer.from(`${name}\0\0\0\0`, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, new Uint8Array(data.length & 1)]);
}

/** A file of these chunks. */
const file = (...chunks: Uint8Array[]): Uint8Array => chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...chunks]));
/** The extended header. */
const extended = (flags: number, width = WIDTH, height = HEIGHT): Uint8Array =>
  chunk('VP8X', new Uint8Array([flags, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0]));
/** The one chunk of a plain file. */
const plain = (name: string): Uint8Array => read(name).subarray(12);

test('EXIF turns a WebP, lossy or not, in both byte orders, as SHORT or LONG, with a JPEG name in front or none', async () => {
  for (const name of ['lossy.webp', 'lossless.webp']) {
    const upright = await decodePicture(read(name), asIs(WIDTH, HEIGHT));
    const half = upright.map((_, i) => upright[upright.length - 3 - i + 2 * (i % 3)]!);
    for (const little of [true, false]) {
      for (const type of [3, 4]) {
        const block = exifBlock(3, little, type);
        const named = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), block]);
        for (const exif of [block, named]) {
          const got = await decodePicture(file(extended(8), plain(name), chunk('EXIF', exif)), asIs(WIDTH, HEIGHT));
          assert.is(apart(got, half), 0, `${name}, type ${type}`);
        }
      }
    }
    const unflagged = file(extended(0), plain(name), chunk('EXIF', exifBlock(3)));
    assert.is(apart(await decodePicture(unflagged, asIs(WIDTH, HEIGHT)), upright), 0, 'the header says there is none');
  }
});

test('chunks that say nothing about the pixels, and what lies behind the file, are passed over', async () => {
  const want = await decodePicture(read('lossy.webp'), asIs(WIDTH, HEIGHT));
  const odd = [chunk('ICCP', new Uint8Array(3)), chunk('zzzz', new Uint8Array(0))];
  const whole = file(extended(0x20), ...odd, plain('lossy.webp'), chunk('XMP ', new Uint8Array(9)));
  for (const bytes of [whole, Buffer.concat([whole, new Uint8Array(100)])]) {
    assert.is(apart(await decodePicture(bytes, asIs(WIDTH, HEIGHT)), want), 0);
  }
});

test('damage is said, and so is an animation whose first frame is a part', async () => {
  const lossy = read('lossy.webp');
  assert.match(await reason(lossy.subarray(0, 60)), /^Unreadable: a truncated WebP/);
  assert.match(await reason(lossy.subarray(0, 22)), /truncated WebP/);
  assert.match(await reason(file(plain('lossy.webp').subarray(0, 100))), /truncated WebP/);
  const short = plain('lossy.webp').slice(8, 60);
  assert.match(await reason(file(chunk('VP8 ', short))), /^Unreadable: a damaged or truncated WebP/);
  assert.match(await reason(file(chunk('ALPH', new Uint8Array(9)))), /no picture in it/);
  assert.match(await reason(file(chunk('VP8L', new Uint8Array(9)))), /wrong header/);
  assert.match(await reason(file(extended(0, 99), plain('lossy.webp'))), /two sizes/);
  const frame = chunk('ANMF', Buffer.concat([new Uint8Array(16), plain('lossy.webp')]));
  assert.match(
    await reason(file(extended(2, 99), chunk('ANIM', new Uint8Array(6)), frame)),
    /an animated WebP whose first frame is not the whole/,
  );
  assert.is(await reason(file(extended(2), chunk('ANIM', new Uint8Array(6)), frame)), 'read');
});

test('memory is planned from the header and held to', async () => {
  assert.match(await reason(read('lossless.webp'), 1000), /too large: a lossless WebP of 26×17 takes/);
  const mib = 2 ** 20;
  const photo = (name: string) => decodeBytes({ ...readHeader(read(name)), width: 4032, height: 3024 }, 8 * mib);
  assert.ok(photo('lossy.webp') < 64 * mib && photo('lossless.webp') < 128 * mib);
});

test('JPEG and WebP in turn', async () => {
  const names = ['lossy.webp', 'rgb.jpg', 'lossless.webp', 'progressive.jpg'];
  const first = new Map<string, Uint8Array>();
  for (let i = 0; i < 3; i++) {
    for (const name of names) {
      const got = await decodePicture(read(name), asIs(WIDTH, HEIGHT));
      assert.is(apart(got, first.get(name) ?? got), 0, name);
      first.set(name, got);
    }
  }
});

test.run();
