/** The step's parts by what is asked: the pull back to where a run began, its bytes, and that it holds. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { readModel } from '../../src/import/index.ts';
import { trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { goldenCase, modelFolder } from '../support/golden.ts';
import { pictureFolder } from '../support/pictures.ts';

const NAME = 'vit-timm-gap';
const compiled = (prox?: number) =>
  compile({
    model: readModel(modelFolder(NAME), goldenCase(NAME).size),
    classes: 3,
    microBatch: 2,
    method: 'bias',
    ...(prox === undefined ? {} : { prox }),
  });

test('without a pull the program is the one that it was; with one every learnable number has its bytes once more', () => {
  const plain = compiled();
  assert.equal(compiled(0).program.image, plain.program.image);
  const pulled = compiled(0.1);
  const learnable = 4 * plain.program.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const more = pulled.plan.parts.trainable - plain.plan.parts.trainable;
  assert.ok(more >= learnable && more < 1.5 * learnable + 4096, `${more} for ${learnable}`);
});

/** How far the learnt head is from zero, where it began. */
async function distance(prox?: number): Promise<number> {
  const data = pictureFolder({ train: 6, val: 2 });
  const out = newFolder();
  const job = { model: modelFolder(NAME), data, out, epochs: 4, batchSize: 6, rate: 0.01, optimizer: 'sgd' as const };
  await trainJob({ ...job, ...(prox === undefined ? {} : { prox }) });
  const { weights, head } = readAdapter(out);
  const tensor = weights.tensor(head[0]!);
  const bytes = new Uint8Array(tensor.bytes);
  weights.read(tensor, bytes);
  weights.close();
  return Math.hypot(...new Float32Array(bytes.buffer));
}

test('a pull keeps a run near where it began', async () => {
  const [free, held] = [await distance(), await distance(30)];
  assert.ok(free > 0 && held > 0 && held < 0.7 * free, `${held} beside ${free}`);
});

test.run();
