/** A bit that a card has flipped in the prepared pictures is never learnt from. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { does, pictureFolder, VIT, watched } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const RUN = ['--epochs', '2', '--batch-size', '4', '--threads', '1'];
const adapterIn = (out: string): string => readFileSync(join(out, 'adapter_model.safetensors'), 'base64');
const cacheIn = (folder: string): string => join(folder, readdirSync(folder).find((name) => name.endsWith('.pictures'))!);

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(path, bytes);
}

test('a flipped bit in a cache that is used again: said, mended, the same adapter', () => {
  const [data, cache, first] = [pictureFolder(4), newFolder(), newFolder()];
  does('train', VIT, data, '--out', first, '--cache', cache, ...RUN);
  // In the pixels; and in what stands behind them.
  for (const [at, words] of [
    [5000, /damaged copies are prepared anew: \w+\/\d\.png/],
    [-100, /is damaged; pictures are prepared anew/],
  ] as const) {
    flip(cacheIn(cache), at);
    const out = newFolder();
    assert.match(does('train', VIT, data, '--out', out, '--cache', cache, ...RUN).stderr, words);
    assert.is(adapterIn(out), adapterIn(first));
  }
});

nodeTest('a bit that flips while the run goes on ends it, to be tried again; --resume ends in the same adapter', async () => {
  const [data, out, whole] = [pictureFolder(4), newFolder(), newFolder()];
  const args = (folder: string) => ['train', VIT, data, '--out', folder, ...RUN, '--epochs', '30', '--save-every', '1'];
  does(...args(whole));
  let isFlipped = false;
  const ran = await watched(args(out), (stderr) => {
    if (isFlipped || !/^epoch +3\/30/m.test(stderr)) return;
    isFlipped = true;
    const path = cacheIn(join(out, 'run'));
    for (let at = 0; at < 9; at++) flip(path, at * 500);
  });
  assert.is(ran.code, 5, ran.stderr);
  assert.match(ran.stderr, /the prepared copy of \S+ was damaged since the run began; start it again/);
  const again = does(...args(out), '--resume');
  assert.match(again.stderr, /damaged copies are prepared anew[\s\S]*going on from step/);
  assert.is(adapterIn(out), adapterIn(whole));
});

test.run();
