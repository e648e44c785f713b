/** Mean and deviation by a network's name, held against timm's own of every published tag (tools/golden/timmstatistics.py). */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readerOf } from '../../src/import/families.ts';
import { plainName } from '../../src/import/timm.ts';
import { timmPreprocess, timmStatistics } from '../../src/import/timmstatistics.ts';

const rows = JSON.parse(readFileSync('test/golden/timmstatistics.json', 'utf8')) as [number[], number[], string][];

test("every network of timm's that is read, and every tag of it", () => {
  const wrong: string[] = [];
  let count = 0;
  for (const [mean, std, names] of rows)
    for (const name of names.split(' ').filter((one) => readerOf('timm', plainName(one)) !== undefined)) {
      count++;
      if (JSON.stringify(timmStatistics(name)) !== JSON.stringify([mean, std])) wrong.push(`${name}: ${mean}`);
    }
  assert.equal(wrong, []);
  assert.ok(count > 1000, `${count} names`);
});

test('names that timm does not know are prepared as those of ImageNet', () => {
  assert.equal(timmStatistics('resnet18d.my_own')[0], [0.485, 0.456, 0.406]);
});

test('pictures of another size and number of channels', () => {
  const { mean, std, crop, resize } = timmPreprocess('resnet18', [64, 96], 1);
  assert.equal([mean.length, std.length, crop, resize.mode], [1, 1, { height: 64, width: 96, rounding: 'even' }, 'cover']);
});

test.run();
