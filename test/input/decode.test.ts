import { readFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture } from '../../src/input/decode.ts';
import { Unreadable } from '../../src/pictures/header.ts';
import { apart, asIs, pattern } from '../support/pattern.ts';
import { oriented } from '../support/photo.ts';

const folder = 'test/golden/pictures';
const golden = JSON.parse(readFileSync(`${folder}/pictures.json`, 'utf8')) as Record<
  string,
  { width: number; height: number; rgb: string }
>;
const read = (name: string) => new Uint8Array(readFileSync(`${folder}/${name}`));

async function reason(bytes: Uint8Array, limit?: number): Promise<string> {
  try {
    await decodePicture(bytes, asIs(8, 8), limit);
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
  return 'read';
}

for (const [name, { width, height, rgb }] of Object.entries(golden)) {
  test(`${name} is decoded as Pillow does`, async () => {
    const got = await decodePicture(read(name), asIs(width, height));
    const d = apart(got, Buffer.from(rgb, 'base64'));
    assert.ok(d <= (name.endsWith('.jpg') ? 2 : 0), `${d} levels apart`);
  });
}

test('16-bit and interlaced PNG', async () => {
  const [width, height] = [19, 13];
  const rgb = pattern(width, height);
  const deep = Uint16Array.from(rgb, (v) => (v << 8) | 0x7f);
  assert.is(apart(await decodePicture(encode({ width, height, data: deep, depth: 16, channels: 3 }), asIs(width, height)), rgb), 0);
  const woven = encode({ width, height, data: rgb, channels: 3 }, { interlace: 'Adam7' });
  assert.is(apart(await decodePicture(woven, asIs(width, height)), rgb), 0);
});

/** Where the upright picture's pixel (x, y) lies in the file: the EXIF standard's table. */
const places: Record<number, (x: number, y: number, w: number, h: number) => [number, number]> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, _, h) => [y, h - 1 - x],
  7: (x, y, w, h) => [w - 1 - y, h - 1 - x],
  8: (x, y, w) => [w - 1 - y, x],
};

test('all eight EXIF orientations are turned upright', async () => {
  const { width, height } = golden['rgb.jpg']!;
  const plain = await decodePicture(read('rgb.jpg'), asIs(width, height));
  for (let o = 1; o <= 8; o++) {
    const [w, h] = o < 5 ? [width, height] : [height, width];
    const want = new Uint8Array(plain.length);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const [sx, sy] = places[o]!(x, y, width, height);
        want.set(plain.subarray((sy * width + sx) * 3, (sy * width + sx) * 3 + 3), (y * w + x) * 3);
      }
    }
    const got = await decodePicture(oriented(read('rgb.jpg'), o, o % 2 === 0), asIs(w, h));
    assert.is(apart(got, want), 0, `orientation ${o}`);
  }
  // An odd margin falls on the same side of the upright picture, however the file lies.
  const cropped = {
    ...asIs(0, 0),
    resize: { mode: 'exact' as const, height, width: height },
    crop: { height: 8, width: 8, rounding: 'floor' as const },
  };
  const square = await decodePicture(read('rgb.jpg'), cropped);
  const turned = await decodePicture(oriented(read('rgb.jpg'), 3, true), cropped);
  assert.ok(square.length === turned.length && apart(square, turned) > 0);
});

test('a JPEG without its last marker, padded or not, is read where all of it is there', async () => {
  for (const [name, { width, height }] of Object.entries(golden)) {
    if (!name.endsWith('.jpg')) continue;
    const whole = read(name);
    const spec = asIs(width, height);
    const want = await decodePicture(whole, spec);
    const open = whole.subarray(0, whole.length - 2);
    const padded = (bytes: Uint8Array, n: number, by = 0) => Buffer.concat([bytes, new Uint8Array(n).fill(by)]);
    const files = [open, padded(whole, 64), padded(open, 64), padded(open, 1 << 16), padded(open, 64, 0xff), padded(open, 3, 0xff)];
    for (const [i, bytes] of files.entries()) assert.is(apart(await decodePicture(bytes, spec), want), 0, `${name}, way ${i}`);
    // What lies behind the marker is no part of the picture.
    assert.is(apart(await decodePicture(Buffer.concat([whole, Buffer.from('trailer')]), spec), want), 0, name);
    // Data are missing: refused, whatever stands in their place.
    for (const lost of [4, 12, 40]) {
      const cut = whole.subarray(0, whole.length - lost);
      assert.match(await reason(cut), /truncated/, `${name} less ${lost}`);
      assert.match(await reason(padded(cut, 500)), /truncated/, `${name} less ${lost}, padded`);
    }
  }
});

test('a progressive JPEG without its last scan is refused', async () => {
  for (const name of ['progressive.jpg', 'cmyk-progressive.jpg']) {
    const whole = Buffer.from(read(name));
    assert.match(await reason(whole.subarray(0, whole.lastIndexOf(Buffer.from([0xff, 0xda])))), /truncated/, name);
  }
});

test('a bad picture is refused with its reason', async () => {
  const jpeg = read('rgb.jpg');
  assert.match(await reason(new Uint8Array(0)), /the file is empty/);
  assert.match(await reason(Buffer.from('just words\n')), /a text file, not a JPEG, PNG or WebP/);
  assert.match(await reason(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1')), /a HEIC picture/);
  assert.match(await reason(jpeg.subarray(0, 300)), /truncated/);
  assert.match(await reason(jpeg.subarray(0, jpeg.length - 40)), /truncated/);
  assert.match(await reason(read('progressive.jpg').subarray(0, 500)), /truncated/);
  assert.match(await reason(read('cmyk.jpg').subarray(0, 680)), /truncated/);
  assert.match(await reason(read('cmyk-progressive.jpg').subarray(0, 800)), /truncated/);
  assert.match(await reason(read('rgb.png').subarray(0, 80)), /truncated PNG/);
  const flipped = read('rgb.png');
  flipped[60]! ^= 0x55;
  assert.match(await reason(flipped), /damaged/);
  assert.match(await reason(jpeg, 1000), /too large: a JPEG of 26×17 takes \d+ MiB to decode, the limit is 0 MiB/);
});

test('a picture of any single wrong byte is decoded or refused, and the next one is decoded', async () => {
  const { width, height, rgb } = golden['rgb.jpg']!;
  for (const name of ['rgb.jpg', 'cmyk.jpg', 'cmyk-progressive.jpg', 'rgb.png', 'palette.png', 'lossy.webp', 'lossless.webp']) {
    const good = read(name);
    for (let at = 0; at < good.length; at += 5) {
      const bad = good.slice();
      bad[at]! ^= 1 << (at & 7);
      await reason(bad, 1 << 20);
    }
  }
  assert.ok(apart(await decodePicture(read('rgb.jpg'), asIs(width, height)), Buffer.from(rgb, 'base64')) <= 2);
});

test('the codec leaves the globals as they were', async () => {
  const before = [globalThis.Uint8ClampedArray, typeof new Uint8ClampedArray(1)[0]];
  await decodePicture(read('rgb.jpg'), asIs(8, 8));
  assert.is(globalThis.Uint8ClampedArray, before[0]);
  assert.ok(new Uint8ClampedArray(2) instanceof Uint8ClampedArray);
});

test.run();
