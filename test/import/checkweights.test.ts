/** A folder's weights against its configuration: what nothing reads, what is missing and what has another shape is refused by name. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { elements } from '../../src/base/tensor.ts';
import { type Tensor, writeSafetensors } from '../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import type { WeightsUse } from '../../src/import/checkweights.ts';
import { checkFolderWeights, openModelFolder, openWeights } from '../../src/import/modelfolder.ts';
import { calibrateJob } from '../../src/training/calibrate/job.ts';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { fidelity } from '../../src/use/fidelity/fidelity.ts';
import { packJob } from '../../src/use/pack.ts';
import { newFolder, refused } from '../support/folder.ts';
import { builtCases, modelFolder } from '../support/golden.ts';

type Shapes = Map<string, readonly number[]>;

function shapesOf(folder: string): Shapes {
  const file = openWeightsFile(folder);
  file.close();
  return new Map([...file.tensors.values()].map(({ name, shape }: Tensor) => [name, shape]));
}

/** The golden folder with zeros for weights, of these names and shapes; in several files where `shards` says so. */
function folderWith(name: string, shapes: Shapes, shards = 1): string {
  const folder = newFolder();
  copyFileSync(join(modelFolder(name), 'config.json'), join(folder, 'config.json'));
  const tensors = [...shapes].map(([tensor, shape]) => ({
    ...{ name: tensor, dtype: 'F32' as const, shape },
    data: () => new Uint8Array(4 * elements(shape)),
  }));
  const map: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const part = tensors.filter((_, j) => j % shards === i);
    const file = shards === 1 ? 'model.safetensors' : `model-${i}.safetensors`;
    writeSafetensors(join(folder, file), part);
    for (const tensor of part) map[tensor.name] = file;
  }
  if (shards > 1) writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  return folder;
}

const open = (folder: string, use: WeightsUse = {}): void => openWeights(openModelFolder(folder), use).close();
const NOT_READ = 'is not read by the network that config.json describes';

test('a first convolution of another number of channels than the configuration says is one sentence', () => {
  for (const [name, key, tensor] of [
    ['vit-hf', 'num_channels', 'vit.embeddings.patch_embeddings.projection.weight'],
    ['resnet18-timm', 'model_args.in_chans', 'conv1.weight'],
  ] as const) {
    const shapes = shapesOf(modelFolder(name));
    const [o, , ...kernel] = shapes.get(tensor)!;
    const folder = folderWith(name, new Map([...shapes, [tensor, [o!, 1, ...kernel]]]));
    refused(() => open(folder), `${tensor} reads another number of channels than config.json says, got 1, expected 3`, `"${key}": 1`);
  }
});

for (const name of builtCases) {
  const shapes = shapesOf(modelFolder(name));
  const more = (...extra: [string, number[]][]): Shapes => new Map([...shapes, ...extra]);
  /** Some tensor of the first block, and the same of one that the configuration does not have. */
  const of = (pattern: RegExp): string | undefined => [...shapes.keys()].find((tensor) => pattern.test(tensor));
  const torchvision = of(/^features\.[1-9]\d*\..*weight$/) ?? of(/encoder_layer_0\..*weight$/);
  const numbered = of(/(layers?|blocks|layer1|stages\.0\.\w+)\.0\..*weight$/) ?? torchvision;
  // Where blocks are named otherwise, any below a number.
  const first = numbered ?? of(/\d[.-].*weight$/)!;
  const beyond =
    first === torchvision
      ? first.replace(/^features\.\d+|encoder_layer_0/, (part) => part.replace(/\d+/, '77'))
      : numbered === undefined
        ? first.replace(/\d+/, '77')
        : first.replace(/\.0\.(?!.*\.0\.)/, '.77.');

  test(`${name}: every tensor of the file is read, or known to be harmless`, () => {
    for (const head of ['new', 'file'] as const) open(modelFolder(name), { head });
    open(folderWith(name, more(['bn.num_batches_tracked', []], ['a.relative_position_index', [4, 4]], ['layers.0.attn_mask', [2]])));
  });

  test(`${name}: a tensor that nothing reads is refused by name, in one file and in shards`, () => {
    for (const shards of [1, 3]) {
      const said = refused(() => open(folderWith(name, more(['odd.weight', [3]]), shards)), `tensor odd.weight ${NOT_READ}`);
      assert.match(said, `1 such tensor of ${shapes.size + 1},`);
    }
    const deeper = folderWith(name, more([beyond, [4, 4]], ['zz.bias', [4]]));
    const uses: WeightsUse[] = [{}, { head: 'file' }];
    // A network of one block cannot end early.
    if (!/gap|deit3/.test(name)) uses.push({ method: 'bias+depth:blocks=1' });
    for (const use of uses) refused(() => open(deeper, use), `tensor ${beyond} ${NOT_READ}`, `2 such tensors of ${shapes.size + 2}`);
  });

  test(`${name}: a missing and a misshapen tensor`, () => {
    const without = new Map(shapes);
    without.delete(first);
    refused(() => open(folderWith(name, without)), `tensor ${first} is missing`);
    refused(() => open(folderWith(name, new Map([...shapes, [first, [1, 2, 3]]]))), first, 'wrong shape, got [1, 2, 3]');
  });
}

test('what a depth leaves out may be there, or not', () => {
  const shapes = shapesOf(modelFolder('vit-hf'));
  const short = new Map([...shapes].filter(([tensor]) => !tensor.includes('layer.1.')));
  assert.ok(short.size < shapes.size);
  open(modelFolder('vit-hf'), { method: 'bias+depth:blocks=1' });
  open(folderWith('vit-hf', short), { method: 'bias+depth:blocks=1' });
  refused(() => open(folderWith('vit-hf', short)), 'layer.1.', 'is missing');
});

test("heads of another size, or of another task, are a new head's to replace, and refused where the file's own is used", () => {
  const shapes = shapesOf(modelFolder('vit-timm'));
  const wide = folderWith(
    'vit-timm',
    new Map([...shapes, ['head.weight', [1000, 32]], ['head.bias', [1000]], ['pre_logits.fc.weight', [32, 32]]]),
  );
  open(wide);
  refused(() => open(wide, { head: 'file' }), 'head.weight', 'wrong shape');
  const named = folderWith('vit-timm', new Map([...shapes, ['pre_logits.fc.weight', [32, 32]]]));
  refused(() => open(named, { head: 'file' }), `pre_logits.fc.weight ${NOT_READ}`);
  const masked = shapesOf(modelFolder('swin-hf'));
  masked.set('swin.embeddings.mask_token', [1, 1, 8]).set('decoder.0.weight', [8, 8]).set('pooler.x', [1]);
  masked.delete('classifier.weight');
  masked.delete('classifier.bias');
  open(folderWith('swin-hf', masked));
});

test("a wrapper's name in front of every tensor is said", () => {
  const shapes = new Map([...shapesOf(modelFolder('resnet18-timm'))].map(([tensor, shape]) => [`module.${tensor}`, shape]));
  refused(() => open(folderWith('resnet18-timm', shapes)), 'tensor conv1.weight is missing', 'nearest names: module.conv1.weight');
});

test('whoever is about to read weights is told before a picture is looked at', async () => {
  const odd = folderWith('vit-hf', new Map([...shapesOf(modelFolder('vit-hf')), ['odd', [1]]]));
  // There is no such folder of pictures.
  const job = { model: odd, data: join(odd, 'photos'), out: newFolder(), epochs: 1, batchSize: 4 };
  for (const run of [
    trainJob(job),
    packJob(job),
    fidelity({ model: odd, data: job.data }),
    calibrateJob({ ...job, out: join(odd, 'c.json') }),
  ]) {
    const said = await run.then(
      () => 'nothing was refused',
      (error: Error) => error.message,
    );
    assert.match(said, `tensor odd ${NOT_READ}`);
  }
  refused(() => loadClassifier(undefined, { model: odd }), `tensor odd ${NOT_READ}`);
});

test('a plan looks at weights where there are some, and needs none', () => {
  const folder = newFolder();
  copyFileSync(join(modelFolder('vit-hf'), 'config.json'), join(folder, 'config.json'));
  checkFolderWeights(openModelFolder(folder));
  const shapes = shapesOf(modelFolder('vit-hf'));
  const odd = folderWith('vit-hf', new Map([...shapes, ['odd', [1]]]));
  refused(() => checkFolderWeights(openModelFolder(odd)), `tensor odd ${NOT_READ}`);
});

test.run();
