/** NaN: refused in weights by the tensor's name, caught in the loss by the operator's; an earlier adapter stays. */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EngineError, InputError } from '../../src/base/error.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const MODEL = 'test/golden/vit-timm-gap';
const DATA = pictureFolder({ train: 4, val: 2 });
const CACHE = newFolder();
const common = { model: MODEL, data: DATA, cacheFolder: CACHE, epochs: 2, batchSize: 4 };

/** A copy of the model in which one number of a tensor is another one. */
function poisoned(tensor: string, value: number): string {
  const folder = newFolder();
  cpSync(MODEL, folder, { recursive: true });
  const path = join(folder, 'model.safetensors');
  const file = openWeightsFile(path);
  const { bytes: size } = file.tensor(tensor);
  const data = new Uint8Array(size);
  file.read(file.tensor(tensor), data);
  file.close();
  const bytes = readFileSync(path);
  const at = bytes.indexOf(data);
  bytes.writeFloatLE(value, at + size - 4);
  writeFileSync(path, bytes);
  return folder;
}

async function thrown(action: Promise<unknown>): Promise<Error> {
  try {
    await action;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

const TENSORS = ['blocks.0.attn.qkv.weight', 'blocks.0.mlp.fc1.bias', 'pos_embed', 'patch_embed.proj.weight'];
for (const [i, tensor] of TENSORS.entries())
  test(`NaN or infinity in ${tensor}`, async () => {
    const out = newFolder();
    const model = poisoned(tensor, [Number.NaN, Number.POSITIVE_INFINITY][i % 2]!);
    const error = await thrown(trainJob({ ...common, model, out }));
    assert.instance(error, InputError);
    assert.ok(error.message.includes(tensor) && error.message.includes('NaN or infinite'), error.message);
    assert.not.ok(readdirSync(out).some((name) => name.startsWith('adapter')));
  });

test('a network that puts out what is no number is told before the first step', async () => {
  const model = poisoned('blocks.0.mlp.fc2.bias', 3e38);
  const out = newFolder();
  const error = await thrown(trainJob({ ...common, model, out }));
  assert.instance(error, EngineError);
  assert.match(error.message, /what the network puts out on the first pictures is not finite .*; are these the weights that belong/);
  assert.not.ok(readdirSync(out).some((name) => name.startsWith('adapter')));
});

test('a loss that is no number: the operator is named, the adapter of before is untouched', async () => {
  const out = newFolder();
  await trainJob({ ...common, out });
  const files = () => ['adapter_config.json', 'adapter_model.safetensors'].map((name) => readFileSync(join(out, name)).toString('base64'));
  const before = files();
  for (const rate of [1e30, 3e38]) {
    const error = await thrown(trainJob({ ...common, out, rate, optimizer: 'sgd' }));
    assert.instance(error, EngineError);
    assert.is((error as EngineError).exitCode, 4);
    assert.match(error.message, /^(loss|eval\.loss|schedule): the (loss|gradient) is not finite.*--lr/);
    assert.equal(files(), before);
  }
});

test('the command line goes back twice with a smaller rate, and is told of nothing learnt; without going back exit code 4 and one sentence', () => {
  const out = newFolder();
  const args = ['train', MODEL, DATA, '--out', out, '--cache', CACHE, '--epochs', '9', '--batch-size', '4', '--lr', '1000', '--clip', '0'];
  const run = (...more: string[]) =>
    spawnSync(process.execPath, ['dist/s2a.js', ...args, '--optimizer', 'sgd', ...more], { encoding: 'utf8' });
  const { status, stderr } = run('--retries', '0');
  assert.is(status, 4, stderr);
  assert.match(stderr, /not finite/);
  const again = run();
  assert.is(again.status, 0, again.stderr);
  assert.equal(
    [...again.stderr.matchAll(/the run goes back to its start and goes on with a tenth of the rate: (.*)/g)].map(([, rate]) => rate),
    ['100', '10'],
  );
  assert.match(
    again.stdout,
    /\nwarning: the same answer for every picture: no better than always saying class-0 even with a hundredth of the rate; try .*--lr/,
  );
});

test.run();
