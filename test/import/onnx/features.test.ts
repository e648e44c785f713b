/** `--features`: values within a file, held against onnxruntime's; what such a network learns belongs to it alone. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../../src/base/files.ts';
import { openModelFolder } from '../../../src/import/modelfolder.ts';
import { trainJob } from '../../../src/training/job.ts';
import { loadClassifier } from '../../../src/use/classifier.ts';
import { loadEmbedder } from '../../../src/use/embedder.ts';
import { refuses } from '../../cli/command.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { fileOf, valuesOf } from '../../support/onnx.ts';
import * as w from '../../support/onnxwrite.ts';
import { pictureFolder } from '../../support/pictures.ts';

const GOLDEN = readJson('test/golden/onnx/features.json') as Record<string, { node: string; value: string; features: number[][] }[]>;

for (const [name, cases] of Object.entries(GOLDEN))
  for (const { node, value, features } of cases)
    test(`${name} up to ${node}`, async () => {
      const images = valuesOf(name).bytes('images');
      const embedder = loadEmbedder(undefined, { model: `${fileOf(name)}#${node}` });
      assert.is(openModelFolder(`${fileOf(name)}#${node}`).model.type, `onnx#${value}`);
      assert.is(embedder.features, features[0]!.length);
      const size = images.length / features.length;
      const most = Math.max(...features.flat().map(Math.abs));
      for (const [i, want] of features.entries()) {
        const got = embedder.embedPrepared(images.subarray(i * size, (i + 1) * size));
        for (const [k, x] of want.entries()) assert.ok(Math.abs(got[k]! - x) <= 1e-5 * most, `picture ${i}, ${k}: ${got[k]} against ${x}`);
      }
      await embedder.close();
    });

test('a name that is none is refused with near ones, and a value that no head can read', () => {
  const open = (node: string) => () => openModelFolder(`${fileOf('resnet18-timm')}#${node}`);
  refused(
    open('/global_pool/flatten/Flaten'),
    '--features /global_pool/flatten/Flaten',
    'is no value of this file',
    'did you mean /global_pool/flatten/Flatten',
  );
  refused(open('x'.repeat(300)), 'is no value of this file', 'its last ones are', 'logits');
  refused(open(''), 'is no value of this file');
  refused(open('pixel_values'), 'is no value of this file');
  refused(() => openModelFolder(`${fileOf('convnext-timm')}#/head/norm/Constant`), 'does not follow from the picture');
  refused(() => openModelFolder(`${fileOf('swin-timm')}#/layers/layers.1/blocks/blocks.0/attn/Transpose_1`), '--features');
});

test('what stands behind the value is not looked at: operators, inputs and heads that are not known', () => {
  const file = w.onnxFile(
    w.modelBytes({
      graph: [
        w.node('Relu', ['x'], ['y']),
        w.node('NonMaxSuppression', ['y', 'boxes'], ['z']),
        ...[w.port(11, 'x', [1, 3, 32, 32]), w.port(11, 'boxes', [1, 4]), w.port(12, 'z', [1])],
      ],
    }),
  );
  refused(() => openModelFolder(file), 'more inputs than one');
  assert.is(openModelFolder(`${file}#the Relu`).model.type, 'onnx#y');
});

test('an adapter knows what its head reads', async () => {
  const model = join(newFolder(), 'net.onnx');
  copyFileSync(fileOf('resnet18-timm'), model);
  const [out, data] = [newFolder(), pictureFolder({ train: 3, val: 2 })];
  const named = `${model}#/layer3/layer3.0/act2/Relu`;
  await trainJob({ model: named, data, out, epochs: 1, batchSize: 4 });
  const classifier = loadClassifier(out, { model: named });
  assert.is(classifier.labels.length, 3);
  // By its value's name too.
  await loadClassifier(out, { model: `${model}#/layer3/layer3.0/act2/Relu_output_0` }).close();
  await classifier.close();
  refused(() => loadClassifier(out, { model }), 'another architecture', 'got onnx, expected onnx#/layer3/layer3.0/act2/Relu_output_0');
  refused(() => loadClassifier(undefined, { model: named }), 'ends in features');
  refuses(2, ['predict', model, out, 'x.png', '--features', '/layer3/layer3.0/act2/Rel'], 'did you mean /layer3/layer3.0/act2/Relu');
  refuses(2, ['plan', model, '--arch', 'resnet18'], '--arch', 'has its network in it');
  refuses(2, ['plan', 'test/golden/vit-hf', '--features', 'x'], '--features', 'is said of an ONNX file');
});

test.run();
