/** Two looks at a picture: the mean of what is said of it and of its mirror image, in the library, predict and eval alike. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inputOf } from '../../src/input/index.ts';
import { averaged, mirrored } from '../../src/use/flips.ts';
import { loadClassifier } from '../../src/use/library.ts';
import { asks, does, pictureFolder, SHORT, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';

const photos = pictureFolder();
const adapter = join(newFolder(), 'adapter');
does('train', VIT, photos, '--out', adapter, ...SHORT);

test('the mean of both probabilities, whether unknown pictures are told or not', async () => {
  const [one, two] = [false, true].map((flips) => loadClassifier(adapter, { model: VIT, flips }));
  const { preprocess } = one!;
  for (const name of ['red/0.png', 'blue/3.png']) {
    const pixels = await inputOf(preprocess).read(join(photos, name), preprocess, 1 << 26);
    const kept = pixels.slice();
    const said = two!.predictPrepared(pixels);
    assert.equal(pixels, kept);
    const apart = [pixels, mirrored(pixels, preprocess)].map((look) => one!.predictPrepared(look));
    for (const { index, probability } of said) {
      const [a, b] = apart.map((list) => list.find((other) => other.index === index)!.probability);
      assert.ok(Math.abs(probability - (a! + b!) / 2) < 1e-6);
    }
    // A picture and its mirror image are the same to it.
    const other = two!.predictPrepared(mirrored(pixels, preprocess));
    for (const [i, { probability }] of said.entries()) assert.ok(Math.abs(probability - other[i]!.probability) < 1e-6);
    const line = asks<{ classes: { label: string; probability: number }[] }>('predict', VIT, adapter, join(photos, name), '--flips');
    assert.ok(Math.abs(line.classes[0]!.probability - said[0]!.probability) < 1e-12);
  }
});

test('a mirror image of a mirror image is the picture', () => {
  const { preprocess } = loadClassifier(adapter, { model: VIT });
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7) & 255);
  const once = mirrored(pixels, preprocess);
  assert.equal([...once.subarray(0, 3)], [...pixels.subarray(31 * 3, 32 * 3)]);
  assert.equal(mirrored(once, preprocess), pixels);
});

test('certain answers average to a half each', () => {
  assert.ok([...averaged([1000, 0], [0, 1000])].every((x) => Math.abs(Math.exp(x) - 0.5) < 1e-7));
});

test('eval says what predict says, in passes of any size', () => {
  interface Evaluated {
    correct: number;
    count: number;
    loss: number;
    confusion: number[][];
  }
  const evaluated = (...more: string[]): Evaluated => asks<Evaluated>('eval', VIT, adapter, photos, '--flips', ...more);
  const whole = evaluated();
  const classifier = loadClassifier(adapter, { model: VIT });
  const lines = does('predict', VIT, adapter, photos, '--flips', '--json').stdout.trim().split('\n');
  const right = lines.filter((line) => {
    const { file, classes } = JSON.parse(line) as { file: string; classes: { label: string }[] };
    return file.includes(`/${classes[0]!.label}/`);
  });
  assert.equal([whole.correct, whole.count], [right.length, 18]);
  assert.is(classifier.labels.length, whole.confusion.length);
  const small = evaluated('--micro-batch', '3');
  assert.ok(Math.abs(small.loss - whole.loss) < 1e-5);
  assert.equal(small.confusion, whole.confusion);
  assert.ok(Math.abs(asks<Evaluated>('eval', VIT, adapter, photos).loss - whole.loss) > 1e-6, 'two looks are not one');
});

test.run();
