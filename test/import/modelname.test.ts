/** Models that are named by a file of weights and what was said of it. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { elements } from '../../src/base/tensor.ts';
import { planForBudget } from '../../src/compile.ts';
import { openSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import { openModelFolder, openWeights, preprocessOf, processorNote } from '../../src/import/modelfolder.ts';
import { modelName } from '../../src/import/modelname.ts';
import { newFolder, refused } from '../support/folder.ts';
import { writeTorch } from '../support/torchwrite.ts';

const folder = newFolder();

/** Zeros under the names that this configuration's network reads; without what is not on its way, such as a head. */
function weightsOf(name: string, head: string, config: Record<string, unknown>): string {
  const home = join(folder, `of-${name}`);
  mkdirSync(home);
  writeFileSync(join(home, 'config.json'), JSON.stringify(config));
  const { weights } = planForBudget({
    model: openModelFolder(home).model,
    classes: 2,
    batchSize: 1,
    microBatch: 1,
    method: 'probe',
  }).program;
  const tensors = weights.map(({ name: tensor, shape }) => ({
    ...{ name: tensor, dtype: 'F32' as const, shape },
    data: () => new Uint8Array(4 * elements(shape)),
  }));
  const safe = join(folder, `${name}.safetensors`);
  writeSafetensors(safe, [...tensors, { name: `${head}.weight`, dtype: 'F32', shape: [5, 1280], data: new Uint8Array(4 * 5 * 1280) }]);
  const file = openSafetensors(safe);
  writeTorch(join(folder, `${name}.pth`), file);
  file.close();
  return join(folder, `${name}.pth`);
}

test('what stands behind # is said of what stands before', () => {
  assert.equal(modelName('a/b'), { path: 'a/b' });
  assert.equal(modelName('a/b.pth#resnet18'), { path: 'a/b.pth', said: 'resnet18' });
  assert.equal(modelName('a.onnx#/x#y'), { path: 'a.onnx', said: '/x#y' });
  mkdirSync(join(folder, 'c#'));
  assert.equal(modelName(join(folder, 'c#')), { path: join(folder, 'c#') });
});

test('of torchvision and timm the one whose weights they are', () => {
  const timm = weightsOf('of-timm', 'classifier', { architecture: 'efficientnet_b0' });
  const base = openModelFolder(`${timm}#efficientnet_b0`);
  assert.equal([base.model.library, base.model.type, base.folder], ['timm', 'efficientnet_b0', timm]);
  assert.equal(base.model.labels, ['LABEL_0', 'LABEL_1', 'LABEL_2', 'LABEL_3', 'LABEL_4']);
  const note = `${timm} does not say how its pictures are prepared, so pictures are prepared as timm's weights of efficientnet_b0 want them: `;
  assert.ok(processorNote(base)!.startsWith(`${note}resized and cut to 224x224 (bicubic), mean 0.485 0.456 0.406`), processorNote(base));
  assert.equal(preprocessOf(base).crop, { height: 224, width: 224, rounding: 'even' });
  assert.equal(preprocessOf(openModelFolder(`${timm}#timm/efficientnet_b0.ra4_e3600_r224_in1k`)).mean, [0.5, 0.5, 0.5]);
  openWeights(base).close();
  assert.is(openModelFolder(`${timm}#timm/efficientnet_b0.ra_in1k`).model.library, 'timm');
  refused(() => openModelFolder(`${timm}#torchvision/efficientnet_b0`), timm, 'not the weights of torchvision/efficientnet_b0');
  refused(() => openModelFolder(`${timm}#efficientnet_b1`), timm, 'these are not the weights of efficientnet_b1');

  const torchvision = weightsOf('of-torchvision', 'classifier.1', { library: 'torchvision', architecture: 'efficientnet_b0' });
  assert.is(openModelFolder(`${torchvision}#efficientnet_b0`, 128).model.library, 'torchvision');
  assert.equal(openModelFolder(`${torchvision}#efficientnet_b0`, 128).model.image, [128, 128]);
  // safetensors without a configuration too, and a folder that has weights alone.
  assert.is(openModelFolder(`${torchvision.replace(/pth$/, 'safetensors')}#efficientnet_b0`).model.library, 'torchvision');
  const alone = join(folder, 'alone');
  mkdirSync(alone);
  copyFileSync(torchvision, join(alone, 'pytorch_model.bin'));
  assert.is(openModelFolder(`${alone}#efficientnet_b0`).folder, alone);
  refused(() => openModelFolder(alone), alone, 'pytorch_model.bin', '--arch');
  writeFileSync(join(alone, 'config.json'), '{"architecture":"efficientnet_b0"}');
  refused(() => openModelFolder(`${alone}#efficientnet_b0`), '--arch efficientnet_b0', 'config.json', 'leave it out');
});

test('names that mean no network, and weights of which nothing is said', () => {
  const path = join(folder, 'net.pth');
  copyFileSync('test/golden/torch/checkpoint.pth', path);
  refused(() => openModelFolder(path), path, 'is weights alone', '--arch resnet18', '#resnet18');
  refused(() => openModelFolder(`${path}#resnet19`), '--arch resnet19', 'is no network', 'did you mean resnet18');
  refused(
    () => openModelFolder(`${path}#torchvision/mobilenet_v2_100`),
    'is no network of torchvision that is read; did you mean mobilenet_v2',
  );
  refused(() => openModelFolder(`${path}#`), 'is no network');
  refused(() => openModelFolder(`${path}#resnet18`), path, 'conv1.weight is missing', 'not the weights of resnet18');
  refused(() => openModelFolder(`${path}x#resnet18`), 'no such file');
  refused(() => openModelFolder('package.json#resnet18'), 'is no file of weights');
  copyFileSync('test/golden/torch/module.pth', path);
  refused(() => openModelFolder(`${path}#resnet18`), 'is a whole pickled module');
});

test.run();
