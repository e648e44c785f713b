/** Small pictures in few bytes: nearly the same again, in every shape; and whatever bytes come, a picture. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mix } from '../../src/base/hostrandom.ts';
import { BitReader, BitWriter } from '../../src/pictures/binarycoder.ts';
import { type CodedShape, decodeSmall, encodeSmall, FINEST, finenessOf } from '../../src/pictures/coded.ts';

/** A smooth picture with an edge. */
const smooth = ({ height, width, channels }: CodedShape, isGrey = false): Uint8Array =>
  Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const [c, x, y] = [isGrey ? 0 : i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    return Math.round(128 + 60 * Math.sin(x / 5 + c) + 50 * Math.cos(y / 7 - c)) - (x > width / 2 ? 15 : 0);
  });
const error = (a: Uint8Array, b: Uint8Array): number => Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / a.length);

test('every shape comes back nearly as it was, in a fraction of its bytes', () => {
  for (const channels of [1, 2, 3, 4])
    for (const [height, width] of [
      [1, 1],
      [28, 28],
      [37, 50],
    ] as const) {
      const shape = { height, width, channels };
      const pixels = smooth(shape);
      const code = encodeSmall(pixels, shape);
      assert.ok(
        error(pixels, decodeSmall(code, shape)) < 7,
        `${channels} channels, ${height}x${width}: ${error(pixels, decodeSmall(code, shape))}`,
      );
      if (height > 1) assert.ok(code.length < pixels.length / 6, `${code.length} of ${pixels.length}`);
    }
});

test('grey pixels of three channels are one plane, and come back grey', () => {
  const shape = { height: 28, width: 28, channels: 3 };
  const pixels = smooth(shape, true);
  const code = encodeSmall(pixels, shape);
  const back = decodeSmall(code, shape);
  assert.is(code[0], 1);
  assert.ok(back.every((v, i) => v === back[i - (i % 3)]));
  assert.ok(code.length < encodeSmall(smooth(shape), shape).length);
});

test('each step of fineness costs bytes and comes nearer; coded again more coarsely it is nearly what it would have been at once', () => {
  for (const isGrey of [true, false]) {
    const shape = { height: 48, width: 56, channels: 3 };
    const pixels = smooth(shape, isGrey).map((v, i) => v + (mix(9, isGrey ? Math.floor(i / 3) : i) % 9));
    const codes = Array.from({ length: FINEST + 1 }, (_, fineness) => encodeSmall(pixels, shape, fineness));
    assert.equal(codes.map(finenessOf), [0, 1, 2, 3]);
    assert.equal(codes[0], encodeSmall(pixels, shape), 'the coarsest where nothing is said');
    const errors = codes.map((code) => error(pixels, decodeSmall(code, shape)));
    for (let i = 1; i <= FINEST; i++) {
      assert.ok(codes[i]!.length > codes[i - 1]!.length, codes.map(({ length }) => length).join(' '));
      assert.ok(errors[i]! < errors[i - 1]!, errors.join(' '));
    }
    const again = encodeSmall(decodeSmall(codes[FINEST]!, shape), shape);
    assert.ok(error(pixels, decodeSmall(again, shape)) < 1.1 * errors[0]!, `${error(pixels, decodeSmall(again, shape))} ${errors[0]}`);
  }
});

test('black, white and noise', () => {
  const shape = { height: 16, width: 24, channels: 3 };
  for (const value of [0, 255]) {
    const flat = new Uint8Array(16 * 24 * 3).fill(value);
    const code = encodeSmall(flat, shape);
    assert.ok(code.length < 24, String(code.length));
    assert.ok(error(flat, decodeSmall(code, shape)) < 2);
  }
  const noise = Uint8Array.from({ length: 16 * 24 * 3 }, (_, i) => mix(5, i) & 255);
  const back = decodeSmall(encodeSmall(noise, shape), shape);
  // Colour is halved, so of noise in colours half is lost.
  assert.ok(error(noise, back) < 70);
});

test('whatever bytes come, a picture of the shape comes of them', () => {
  const shape = { height: 20, width: 12, channels: 3 };
  for (let seed = 0; seed < 200; seed++) {
    const bytes = Uint8Array.from({ length: seed }, (_, i) => mix(seed, i) & 255);
    assert.is(decodeSmall(bytes, shape).length, 20 * 12 * 3);
  }
});

test('bits come back as they went, in about as many as they tell', () => {
  const writer = new BitWriter();
  const bits = Array.from({ length: 20000 }, (_, i) => (mix(9, i) % 16 === 0 ? 1 : 0));
  const contexts = writer.contexts(2);
  for (const [i, bit] of bits.entries()) {
    writer.bit(contexts, 0, bit);
    if (i % 50 === 0) writer.plain(bit);
  }
  const bytes = writer.finish();
  const reader = new BitReader(bytes);
  const again = reader.contexts(2);
  for (const [i, bit] of bits.entries()) {
    assert.is(reader.bit(again, 0), bit);
    if (i % 50 === 0) assert.is(reader.plain(), bit);
  }
  // 1/16: 0.337 bits each; and 400 plain ones.
  const told = (20000 * 0.337 + 400) / 8;
  assert.ok(bytes.length > told * 0.98 && bytes.length < told * 1.1, `${bytes.length} of ${told}`);
});

test.run();
