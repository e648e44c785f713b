/** The line by which frames come from ffmpeg as our own decoder would make them; run where the machine has ffmpeg. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ffmpegFilter } from '../../src/input/ffmpeg.ts';
import { type Preprocess, preparePixels } from '../../src/input/preprocess.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const NUMBERS = { scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as Pick<Preprocess, 'scale' | 'mean' | 'std'>;
const crop = (height: number, width: number, rounding: 'floor' | 'even') => ({ height, width, rounding });
const SPECS: Preprocess[] = [
  { resize: { mode: 'exact', height: 96, width: 64 }, crop: null, resample: 'bilinear', ...NUMBERS },
  { resize: { mode: 'shortest', edge: 256 }, crop: crop(224, 224, 'floor'), resample: 'bilinear', ...NUMBERS },
  { resize: { mode: 'shortest', edge: 248 }, crop: crop(224, 224, 'even'), resample: 'bicubic', ...NUMBERS },
  { resize: { mode: 'cover', height: 200, width: 260 }, crop: crop(160, 224, 'even'), resample: 'lanczos', ...NUMBERS },
];

test('the filter resizes and cuts as the preparation does', () => {
  const tail = '+accurate_rnd+full_chroma_int';
  assert.equal(SPECS.map(ffmpegFilter), [
    `format=rgb24,scale=w=64:h=96:flags=bilinear${tail}`,
    `format=rgb24,scale=w=if(lte(iw\\,ih)\\,256\\,trunc(256*iw/ih)):h=if(lte(iw\\,ih)\\,trunc(256*ih/iw)\\,256):flags=bilinear${tail},crop=224:224:floor((iw-224)/2):floor((ih-224)/2):exact=1`,
    `format=rgb24,scale=w=if(lte(iw\\,ih)\\,248\\,trunc(248*iw/ih)):h=if(lte(iw\\,ih)\\,trunc(248*ih/iw)\\,248):flags=bicubic${tail}:param0=0:param1=0.5,crop=224:224:(iw-224)/2:(ih-224)/2:exact=1`,
    `format=rgb24,scale=w=round(iw/min(ih/200\\,iw/260)):h=round(ih/min(ih/200\\,iw/260)):flags=lanczos${tail}:param0=3,crop=224:160:(iw-224)/2:(ih-160)/2:exact=1`,
  ]);
});

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const inFfmpeg = hasFfmpeg ? nodeTest : (name: string, run: () => void) => test.skip(`${name} (no ffmpeg here)`, run);

inFfmpeg('frames by ffmpeg differ from prepared pictures by 3 of 255 at most', () => {
  const path = join(newFolder(), 'picture.png');
  for (const [width, height] of [
    [301, 467],
    [640, 480],
  ] as const) {
    const value = (x: number, y: number, c: number) => 128 + 60 * Math.sin(x / 17 + c) + 50 * Math.cos(y / 23) + (x > width / 2 ? 15 : 0);
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
      Math.round(value(Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3)),
    );
    writeFileSync(path, encode({ width, height, data, channels: 3, depth: 8 }));
    const readRow = (y: number, row: Uint8Array): void => row.set(data.subarray(y * width * 3, (y + 1) * width * 3));
    for (const spec of SPECS) {
      const words = ['-v', 'error', '-i', path, '-vf', ffmpegFilter(spec), '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
      const { stdout, stderr } = spawnSync('ffmpeg', words, { maxBuffer: 1 << 26 });
      const ours = preparePixels({ width, height, readRow }, 1, spec);
      assert.is(stdout.length, ours.length, stderr.toString());
      const most = ours.reduce((m, byte, i) => Math.max(m, Math.abs(byte - stdout[i]!)), 0);
      assert.ok(most <= 3, `${ffmpegFilter(spec)}: ${most}`);
    }
  }
});

test.run();
