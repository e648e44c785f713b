import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Preprocess, resizePacked } from '../../src/input/preprocess.ts';
import { type Resample, resample } from '../../src/pictures/resample.ts';
import { apart, asIs, pattern } from '../support/pattern.ts';

interface Case {
  from: [number, number];
  to?: [number, number];
  edge?: number;
  crop?: number;
  rounding?: 'floor' | 'even';
  resample: Resample;
  rgb: string;
}

const { cases } = JSON.parse(readFileSync('test/golden/resize.json', 'utf8')) as { cases: Case[] };

test('resizing and centre crop are Pillow’s', () => {
  for (const { from, to, edge, crop, rounding, resample, rgb } of cases) {
    const base = asIs(0, 0);
    const spec: Preprocess = to
      ? { ...base, resample, resize: { mode: 'exact', width: to[0], height: to[1] } }
      : { ...base, resample, resize: { mode: 'shortest', edge: edge! }, crop: { height: crop!, width: crop!, rounding: rounding! } };
    const got = resizePacked(pattern(...from), ...from, spec);
    const d = apart(got, Buffer.from(rgb, 'base64'));
    // Newer Pillows resize a tall picture vertically first; the rounding between the passes then falls elsewhere.
    assert.ok(d <= (from[1] > from[0] ? 2 : 0), `${from} to ${to ?? [edge, crop, rounding]} by ${resample}: ${d} levels apart`);
  }
  assert.ok(cases.length >= 20);
});

test('a window is cut from the resized picture without making the whole', () => {
  const [width, height] = [61, 47];
  const rgb = pattern(width, height);
  let read = 0;
  const pixels = {
    width,
    height,
    readRow(y: number, row: Uint8Array) {
      assert.is(y, read++, 'rows are read once each, in order');
      row.set(rgb.subarray(y * width * 3, (y + 1) * width * 3));
    },
  };
  const all = resample(pixels, 20, 16, { left: 0, top: 0, width: 20, height: 16 }, 'bicubic');
  read = 0;
  const part = resample(pixels, 20, 16, { left: 3, top: 5, width: 7, height: 4 }, 'bicubic');
  for (let y = 0; y < 4; y++) {
    assert.is(apart(part.subarray(y * 21, y * 21 + 21), all.subarray((5 + y) * 60 + 9, (5 + y) * 60 + 30)), 0);
  }
});

test('a thread-thin picture costs no more than its crop', () => {
  const thin = {
    ...asIs(0, 0),
    resize: { mode: 'shortest' as const, edge: 64 },
    crop: { height: 56, width: 56, rounding: 'floor' as const },
  };
  const out = resizePacked(new Uint8Array(30000 * 3).fill(77), 30000, 1, thin);
  assert.is(out.length, 56 * 56 * 3);
  assert.ok(out.every((v) => v === 77));
});

test('a wrong number of bytes is refused', () => {
  assert.throws(
    () => resizePacked(new Uint8Array(5), 2, 1, asIs(1, 1)),
    /picture: wrong number of bytes for 2×1 RGB or RGBA, got 5, expected 6 or 8/,
  );
});

test.run();
