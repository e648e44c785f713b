/** Pictures that are like nothing learnt: told by what goes with the adapter, refused or said where nothing does. */
import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inputOf } from '../../src/input/index.ts';
import { trainJob } from '../../src/training/job.ts';
import type { Classifier } from '../../src/use/classifier.ts';
import { loadClassifier } from '../../src/use/library.ts';
import { pictureFolder, VIT } from '../cli/command.ts';
import { newFolder, refused } from '../support/folder.ts';

const work = newFolder();
const data = pictureFolder(24);
const learn = async (name: string, seed = 0) => {
  const out = join(work, name);
  return trainJob({ model: VIT, data, out, batchSize: 4, epochs: 2, seed, holdOut: 0.5, budget: '2MiB' });
};
const open = (name: string, options = {}): Classifier => loadClassifier(join(work, name), { model: VIT, ...options });

/** A learnt picture and stripes that no class has. */
const learnt = async (classifier: Classifier) =>
  classifier.predictPrepared(
    (await inputOf(classifier.preprocess).read(join(data, 'blue/0.png'), classifier.preprocess, 1 << 26)) as Uint8Array,
  );
const stripes = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => ((Math.floor(i / 3) % 2) * 255) ^ (i % 3 === 1 ? 255 : 0));

test('what is like nothing learnt is unknown, by the share that was asked for', async () => {
  const { known } = await learn('a');
  assert.ok('judged' in known && known.judged > 20);
  const classifier = open('a');
  assert.ok('share' in classifier.unknown && classifier.unknown.share === 0.05);
  assert.is((await learnt(classifier))[0]!.known, true);
  assert.ok(classifier.predict(stripes, 64, 64).every((p) => p.known === false));
  const strict = open('a', { unknown: '50%' });
  assert.ok('share' in strict.unknown && 'share' in classifier.unknown && strict.unknown.threshold < classifier.unknown.threshold);
  const off = open('a', { unknown: 'off' });
  assert.is(off.predict(stripes, 64, 64)[0]!.known, undefined);
  // Whether unknown pictures are told changes no probability.
  assert.equal(
    off.predict(stripes, 64, 64),
    classifier.predict(stripes, 64, 64).map(({ known: _, distance: __, ...one }) => one),
  );
  assert.ok(off.linearBytes <= classifier.linearBytes);
});

test('twice the same run, twice the same file', async () => {
  await learn('again');
  assert.equal(readFileSync(join(work, 'again/known.safetensors')), readFileSync(join(work, 'a/known.safetensors')));
});

test('another adapter brings its own', async () => {
  await learn('b', 5);
  const classifier = open('a');
  classifier.changeAdapter(join(work, 'b'));
  assert.equal(classifier.unknown, open('b').unknown);
  assert.equal(classifier.predict(stripes, 64, 64), open('b').predict(stripes, 64, 64));
});

test("an adapter without it, or with another one's, says so; asked for it is refused", () => {
  cpSync(join(work, 'a'), join(work, 'older'), { recursive: true });
  rmSync(join(work, 'older/known.safetensors'));
  assert.equal(open('older').unknown, { why: 'known.safetensors is not beside it' });
  assert.is(open('older').predict(stripes, 64, 64)[0]!.known, undefined);
  refused(() => open('older', { unknown: 0.05 }), 'cannot tell what is unknown', 'not beside it', 'unknown off');
  cpSync(join(work, 'b/known.safetensors'), join(work, 'older/known.safetensors'));
  assert.equal(open('older').unknown, { why: 'known.safetensors beside it belongs to another adapter' });
  refused(() => open('a', { unknown: 0.001 }), 'too few for 0.1 %');
});

test('a file of the first version, which had a temperature, is read', () => {
  const path = join(work, 'a/known.safetensors');
  const whole = readFileSync(path);
  const head = Number(whole.readBigUInt64LE(0));
  const first = (more: string): Uint8Array => {
    const { __metadata__: about, ...tensors } = JSON.parse(whole.toString('utf8', 8, 8 + head));
    const { pictures, adapter } = JSON.parse(about.s2a);
    const json = JSON.stringify({
      __metadata__: { s2a: `{"adapter":"${adapter}","pictures":${pictures}${more},"version":1}` },
      ...tensors,
    });
    const padded = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(padded.length));
    return Buffer.concat([size, padded, whole.subarray(8 + head)]);
  };
  const said = open('a').predict(stripes, 64, 64);
  writeFileSync(path, first(',"temperature":1.7'));
  assert.equal(open('a').predict(stripes, 64, 64), said);
  writeFileSync(path, first(''));
  refused(() => open('a'), 'bad temperature');
  writeFileSync(path, whole);
});

test('a damaged file is refused by name', () => {
  const path = join(work, 'a/known.safetensors');
  const whole = readFileSync(path);
  truncateSync(path, statSync(path).size - 4);
  refused(() => open('a'), 'known.safetensors');
  for (const [from, to] of [
    ['pictures', 'pictureS'],
    ['"judged"', '"judgeD"'],
    ['version\\":2', 'version\\":3'],
  ] as const) {
    writeFileSync(path, Buffer.from(whole.toString('latin1').replace(from, to), 'latin1'));
    refused(() => open('a'), 'known.safetensors');
  }
  writeFileSync(path, whole);
  assert.ok('share' in open('a').unknown);
});

test.run();
