/** Exported files are read here again and answer the same; that onnxruntime agrees is test/parity/onnxexport.test.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../src/base/error.ts';
import { readJson } from '../../../src/base/files.ts';
import { loadClassifier } from '../../../src/use/classifier.ts';
import { exportOnnx } from '../../../src/use/onnx/export.ts';
import { newFolder } from '../../support/folder.ts';
import { modelFolder } from '../../support/golden.ts';
import { LABELS, logitsOf, movedAdapter } from '../../support/mergecase.ts';
import { type ExportCase, exportOf } from '../../support/onnxcase.ts';

const AGAIN = [
  'vit-hf',
  'vit-hf-grey',
  'resnet-hf',
  'resnet-hf-rgba',
  'mobilenetv2-hf',
  'swin-hf',
  'convnext-timm',
  'dinov2-timm-registers',
  'siglip-hf',
  'seresnet-timm',
];
for (const network of AGAIN)
  test(`${network}: read again, it answers the same, under the same names`, () => {
    const { out, logits } = exportOf({ name: network, network, method: 'bias' } satisfies ExportCase, newFolder());
    const again = logitsOf(out, undefined).logits;
    const largest = Math.max(...logits.map(Math.abs));
    logits.forEach((x, i) => {
      assert.ok(Math.abs(x - again[i]!) <= 1e-5 * largest, `${again[i]} and ${x}`);
    });
    assert.equal(loadClassifier(undefined, { model: out }).labels, LABELS);
  });

test('numbers of a regression are in their units; thresholds of labels go into config.json', () => {
  const model = modelFolder('vit-hf');
  const of = (task: object): { adapter: string; out: string } => {
    const [adapter, out] = [join(newFolder(), 'adapter'), join(newFolder(), 'out')];
    movedAdapter(model, 'bias', adapter, { task: task as never });
    exportOnnx({ model, adapter, out });
    return { adapter, out };
  };
  const [mean, std] = [
    [20, -3, 0, 100, 0.5],
    [4, 1, 0.2, 30, 2],
  ];
  const { adapter, out } = of({ name: 'regress', constants: { mean, std } });
  // Read again the head's rows are what they were, and units a node behind them: the file's last product is no longer its answer.
  assert.is(readJson(join(out, 'config.json')).problem_type, 'regression');
  assert.ok(readFileSync(join(out, 'model.onnx')).includes('.std'));
  assert.ok(loadClassifier(adapter, { model }).labels.length === 5);
  const labels = of({ name: 'multilabel', constants: { threshold: [0.5, 0.4, 0.5, 0.5, 0.5] } });
  assert.equal(readJson(join(labels.out, 'config.json')).s2a_thresholds, [0.5, 0.4, 0.5, 0.5, 0.5]);
});

test('a model is not written over, and nothing is where the inputs are', () => {
  const model = modelFolder('vit-hf');
  const [adapter, out] = [join(newFolder(), 'adapter'), newFolder()];
  movedAdapter(model, 'probe', adapter);
  const refused = (where: string, what: string): void => {
    assert.throws(
      () => exportOnnx({ model, adapter, out: where }),
      (error: unknown) => error instanceof InputError && error.message.includes(what),
    );
  };
  refused(model, 'is the folder of the model');
  refused(adapter, 'is the folder of the adapter');
  writeFileSync(join(out, 'model.onnx'), 'something');
  refused(out, 'holds a model, which is not written over');
  assert.is(readFileSync(join(out, 'model.onnx'), 'utf8'), 'something');
});

test.run();
