/** Frames of a stream: cut wherever the pieces end, found among what is none, bounded. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Frame, type FrameSplitter, framesOf, jpegFrames, rawFrames } from '../../src/pictures/frames.ts';

const photo = new Uint8Array(readFileSync('test/golden/pictures/cmyk-progressive.jpg'));
/** SOI, a segment of some bytes, a scan with an escaped FF and a restart marker, EOI. */
const jpeg = (...inside: number[]): Uint8Array =>
  Uint8Array.of(0xff, 0xd8, 0xff, 0xe1, 0, 2 + inside.length, ...inside, 0xff, 0xda, 0, 2, 1, 0xff, 0, 0xff, 0xd3, 9, 0xff, 0xd9);
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Every frame of these bytes, given in pieces of a size. */
async function split(bytes: Uint8Array, splitter: FrameSplitter, size: number): Promise<Frame[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const found: Frame[] = [];
  for await (const frame of framesOf(pieces(), splitter)) found.push(frame);
  return found;
}
const whole = (bytes: Uint8Array): Frame => ({ bytes });
const SIZES = [1, 2, 3, 5, 17, 1 << 20];

test('JPEGs one behind the other, in pieces of any size', async () => {
  const [a, b] = [jpeg(1, 2, 3), jpeg()];
  for (const size of SIZES) assert.equal(await split(join(a, b, a), jpegFrames(1 << 20), size), [a, b, a].map(whole), `${size}`);
  for (const size of [1000, 4096]) assert.equal(await split(join(photo, photo), jpegFrames(1 << 24), size), [photo, photo].map(whole));
});

test('a thumbnail inside a picture is a part of it', async () => {
  const outer = jpeg(...jpeg(7));
  for (const size of SIZES) assert.equal(await split(join(outer, outer), jpegFrames(1 << 20), size), [outer, outer].map(whole));
});

test('what stands between two is dropped: a multipart boundary, half a marker, zeros', async () => {
  const between = join(new TextEncoder().encode('--frame\r\nContent-Type: image/jpeg\r\n\r\n'), Uint8Array.of(0xff, 0, 0xff, 0xff));
  const a = jpeg(5);
  for (const size of SIZES) assert.equal(await split(join(between, a, between, a, between), jpegFrames(1 << 20), size), [a, a].map(whole));
  assert.equal(await split(between, jpegFrames(1 << 20), 4), []);
  assert.equal(await split(new Uint8Array(0), jpegFrames(1 << 20), 4), []);
});

test('one that breaks off ends where the next begins, or with the stream', async () => {
  const a = jpeg(5);
  const cut = a.subarray(0, a.length - 3);
  for (const size of SIZES) assert.equal(await split(join(cut, a, cut), jpegFrames(1 << 20), size), [cut, a, cut].map(whole));
});

test('one that is too large is a fault, and the stream goes on behind it', async () => {
  const large = join(jpeg().subarray(0, -2), new Uint8Array(500).fill(3), Uint8Array.of(0xff, 0xd9));
  const a = jpeg(5);
  for (const size of [1, 50, 1 << 20]) {
    const found = await split(join(a, large, a), jpegFrames(100), size);
    assert.equal(found, [whole(a), { fault: 'larger than 100 bytes' }, whole(a)], `${size}`);
  }
});

test('raw frames, and what is left at the end', async () => {
  const bytes = Uint8Array.from({ length: 25 }, (_, i) => i);
  for (const size of SIZES)
    assert.equal(await split(bytes, rawFrames(10), size), [
      whole(bytes.slice(0, 10)),
      whole(bytes.slice(10, 20)),
      { fault: '5 bytes at the end, not the 10 of a frame' },
    ]);
  assert.equal(await split(bytes.subarray(0, 20), rawFrames(10), 7), [whole(bytes.slice(0, 10)), whole(bytes.slice(10, 20))]);
});

test('random bytes end, and every frame begins as one', async () => {
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed >>> 16;
  };
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from({ length: 300 }, () => (random() % 3 === 0 ? 0xff : random() % 2 ? 0xd8 + (random() % 3) : random()));
    const found = await split(bytes, jpegFrames(120), 1 + (random() % 40));
    for (const frame of found) if ('bytes' in frame) assert.ok(frame.bytes[0] === 0xff && frame.bytes[1] === 0xd8);
  }
});

test.run();
