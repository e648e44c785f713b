/** JPEG decoded in rows against the codec, byte for byte, and at sizes the codec has no room for. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import encode, { init } from '@jsquash/jpeg/encode.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture } from '../../src/input/decode.ts';
import { defaultDecoderBytes } from '../../src/input/decoderlimit.ts';
import { Unreadable } from '../../src/pictures/header.ts';
import { decodeJpeg, openJpeg } from '../../src/pictures/jpeg.ts';
import { decodeRows } from '../../src/pictures/jpegrows.ts';
import type { Pixels } from '../../src/pictures/resample.ts';
import { apart, asIs, pattern } from '../support/pattern.ts';

const require = createRequire(import.meta.url);
const ready = init(new WebAssembly.Module(readFileSync(require.resolve('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm'))));

type Draw = (x: number, y: number, c: number) => number;

/** What is hard on a decoder: sharp edges and letters, noise, slopes, colours that change at every pixel. */
const drawings: Record<string, Draw> = {
  edges: (x, y, c) => (((x >> 4) ^ (y >> 3) ^ c) & 1 ? 255 : 0),
  letters: (x, y) => ((x * 7 + (y % 11) * 3) % 13 < 3 && y % 14 < 10 ? 20 : 240),
  noise: (x, y, c) => (Math.imul(x * 374761393 + y * 668265263 + c * 97, 1274126177) >>> 13) & 255,
  slopes: (x, y, c) => ((c === 0 ? x : c === 1 ? y : x + y) >> 1) & 255,
  stripes: (x, _, c) => (x % 3 === c ? 255 : 0),
};

interface Kind {
  quality?: number;
  progressive?: boolean;
  chroma_subsample?: number;
  color_space?: number;
}

async function jpegOf(draw: Draw, width: number, height: number, kind: Kind): Promise<Uint8Array> {
  await ready;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) for (let c = 0; c < 3; c++) data[to + c] = draw(x, y, c);
  }
  const options = { quality: 85, auto_subsample: false, chroma_subsample: 2, baseline: !kind.progressive, optimize_coding: true, ...kind };
  return new Uint8Array(await encode({ data, width, height, colorSpace: 'srgb' } as ImageData, options));
}

/** Every pixel as RGB. */
function rgb({ width, height, readRow }: Pixels): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) readRow(y, out.subarray(y * width * 3, (y + 1) * width * 3));
  return out;
}

async function byCodec(bytes: Uint8Array): Promise<Uint8Array> {
  await openJpeg(defaultDecoderBytes);
  return decodeJpeg(bytes, rgb);
}

const kinds: Kind[] = [];
for (const progressive of [false, true]) {
  for (const chroma_subsample of [1, 2]) kinds.push({ progressive, chroma_subsample });
  kinds.push({ progressive, color_space: 1 }, { progressive, quality: 12 }, { progressive, quality: 100 });
}

for (const [name, draw] of Object.entries(drawings)) {
  test(`${name}: every byte is the codec's`, async () => {
    for (const kind of kinds) {
      for (const [width, height] of [
        [75, 50],
        [64, 33],
        [5, 3],
        [1, 1],
      ] as const) {
        const jpeg = await jpegOf(draw, width, height, kind);
        assert.is(apart(decodeRows(jpeg, rgb), await byCodec(jpeg)), 0, `${width}x${height} ${JSON.stringify(kind)}`);
      }
    }
  });
}

test('other samplings too, and pictures of the folder', async () => {
  // As RGB all components share their Huffman tables.
  const jpeg = await jpegOf(drawings.noise!, 64, 48, { color_space: 2 });
  const frame = Buffer.from(jpeg).indexOf(Buffer.from([0xff, 0xc0, 0, 17, 8]));
  // The same six blocks a unit as 4:2:0 has, dealt out otherwise; twelve units each.
  for (const [sampling, width, height] of [
    [[0x41, 0x11, 0x11], 95, 31],
    [[0x14, 0x11, 0x11], 30, 94],
    [[0x21, 0x12, 0x21], 61, 45],
    [[0x12, 0x21, 0x12], 64, 48],
  ] as const) {
    const dealt = Buffer.from(jpeg);
    dealt.writeUInt16BE(height, frame + 5);
    dealt.writeUInt16BE(width, frame + 7);
    for (const [i, factors] of sampling.entries()) dealt[frame + 11 + 3 * i] = factors;
    assert.is(apart(decodeRows(dealt, rgb), await byCodec(dealt)), 0, String(sampling));
  }
  for (const name of ['rgb.jpg', 'grey.jpg', 'progressive.jpg']) {
    const bytes = new Uint8Array(readFileSync(`test/golden/pictures/${name}`));
    assert.is(apart(decodeRows(bytes, rgb), await byCodec(bytes)), 0, name);
  }
});

test('what does not fit the codec is decoded in rows to the same prepared bytes', async () => {
  const source = pattern(640, 480);
  const draw: Draw = (x, y, c) => source[(y * 640 + x) * 3 + c]!;
  for (const progressive of [false, true]) {
    const jpeg = await jpegOf(draw, 640, 480, { progressive });
    for (const resample of ['bilinear', 'bicubic', 'lanczos', 'nearest'] as const) {
      const spec = {
        ...asIs(32, 32),
        resize: { mode: 'shortest' as const, edge: 48 },
        crop: { height: 32, width: 32, rounding: 'floor' as const },
        resample,
      };
      assert.is(apart(await decodePicture(jpeg, spec, jpeg.length + (700 << 10)), await decodePicture(jpeg, spec)), 0, resample);
    }
  }
});

test('damage anywhere is found, below the crop too', async () => {
  for (const progressive of [false, true]) {
    const jpeg = await jpegOf(drawings.noise!, 640, 480, { progressive });
    const cut = jpeg.subarray(0, jpeg.length - 500);
    const spec = {
      ...asIs(8, 8),
      resize: { mode: 'exact' as const, height: 400, width: 400 },
      crop: { height: 8, width: 8, rounding: 'floor' as const },
    };
    for (const limit of [jpeg.length + (700 << 10), undefined]) {
      let error: unknown;
      await decodePicture(cut, spec, limit).catch((e: unknown) => (error = e));
      assert.ok(error instanceof Unreadable && /truncated/.test(error.message), String(error));
    }
  }
});

/** A grey JPEG without a detail, of any size: two bits a block. */
function flat(width: number, height: number, progressive: boolean): Uint8Array {
  const segment = (marker: number, ...body: number[]) => [0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body];
  const table = (place: number) => segment(0xc4, place, 1, ...new Array(15).fill(0), 0);
  const scan = (from: number, to: number) => segment(0xda, 1, 1, 0, from, to, 0);
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  const head = [0xff, 0xd8, ...segment(0xdb, 0, ...new Array(64).fill(1)), ...table(0), ...table(16)];
  head.push(...segment(progressive ? 0xc2 : 0xc0, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0));
  const zeros = (bits: number) => new Uint8Array(Math.ceil(bits / 8));
  const body = progressive
    ? [new Uint8Array(scan(0, 0)), zeros(blocks), new Uint8Array(scan(1, 63)), zeros(blocks)]
    : [new Uint8Array(scan(0, 63)), zeros(2 * blocks)];
  return Buffer.concat([new Uint8Array(head), ...body, new Uint8Array([0xff, 0xd9])]);
}

test('108 megapixels, baseline and progressive, in 4 MiB', async () => {
  for (const progressive of [false, true]) {
    const pixels = await decodePicture(flat(12000, 9000, progressive), asIs(16, 12), 4 << 20);
    assert.ok(pixels.every((v) => v === 128));
  }
});

test('any wrong byte is decoded or refused', async () => {
  for (const progressive of [false, true]) {
    const jpeg = await jpegOf(drawings.slopes!, 40, 30, { progressive });
    for (let at = 2; at < jpeg.length; at++) {
      const bad = jpeg.slice();
      bad[at]! ^= 1 << (at & 7);
      try {
        decodeRows(bad, ({ width, readRow }) => readRow(0, new Uint8Array(width * 3)));
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
      }
    }
  }
});

test.run();
